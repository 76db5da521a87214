// HTTPS_PROXY, NO_PROXY and a host, one in each line. What is accepted can be written down, read
// again and put on the wire.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/net/proxy.hpp>
#include <cstdint>

namespace {

std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    using net::ProxyUrl;
    std::string_view text = as_text(view_octets(data, size));
    net::ProxySettings settings;
    settings.https_proxy = take_line(text);
    settings.no_proxy = take_line(text);
    const std::string_view host = take_line(text);
    const bool covered = net::no_proxy_covers(settings.no_proxy, host, 4433);
    const auto proxy = settings.proxy_for(host, 4433);
    if (!proxy) {
        ALKNET_ASSERT(!covered && proxy.error().is(causes::kProxyInvalid));
        return 0;
    }
    if (!*proxy) {
        ALKNET_ASSERT(covered || settings.https_proxy.empty());
        return 0;
    }
    const ProxyUrl& url = **proxy;
    ALKNET_ASSERT(!url.host.empty() && url.host.size() <= ProxyUrl::kHostBytesMax && url.port != 0);
    ALKNET_ASSERT(url.user.size() <= ProxyUrl::kCredentialBytesMax);
    ALKNET_ASSERT(url.password.size() <= ProxyUrl::kCredentialBytesMax);
    ALKNET_ASSERT(url.password.empty() || !url.user.empty());
    ProxyUrl open = url;
    open.user.clear();
    open.password.clear();
    const auto again = ProxyUrl::parse(url.to_string());
    ALKNET_ASSERT(again && *again == open);
    return 0;
}
