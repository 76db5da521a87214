// parse_client_hello on any bytes: it ends, and what it gives lies inside its input and its limits.

#include <alknet/base/assert.hpp>
#include <alknet/tls/client_hello.hpp>
#include <cstdint>
#include <functional>

namespace {

using alknet::BytesView;

bool inside(std::string_view text, BytesView whole) {
    const std::string_view all = alknet::as_text(whole);
    return std::less_equal<>()(all.data(), text.data()) &&
           std::less_equal<>()(text.data() + text.size(), all.data() + all.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView body = alknet::view_octets(data, size);
    const auto hello = alknet::tls::parse_client_hello(body);
    if (!hello) {
        return 0;
    }
    ALKNET_ASSERT(hello->alpns.size() <= alknet::tls::ClientHello::kAlpnsMax);
    ALKNET_ASSERT(hello->has_alpn != hello->alpns.empty());
    for (const std::string_view alpn : hello->alpns) {
        ALKNET_ASSERT(!alpn.empty() && alpn.size() <= 255 && inside(alpn, body));
    }
    const std::string_view host = hello->server_name;
    ALKNET_ASSERT(host.empty() || (host.size() <= 255 && inside(host, body)));
    ALKNET_ASSERT(host.find('\0') == std::string_view::npos);
    return 0;
}
