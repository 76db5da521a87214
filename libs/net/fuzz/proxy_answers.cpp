// What a proxy answers: the first octet says which kind it is, the rest is what it says. It never
// gets us to send or to want more than the protocol has.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <cstdint>

#include <alknet/net/proxy_codec.hpp>

namespace {

using namespace alknet;

void http(std::string_view text) {
    net::ProxyUrl proxy;
    proxy.user = "user";
    // Whatever the credentials are, the request stays one head.
    proxy.password = std::string(text);
    const std::string request = net::connect_request(proxy, "2001:db8::1", 4433);
    ALKNET_ASSERT(request.find("\r\n\r\n") == request.size() - 4);
    const auto head = net::read_connect_head(text);
    if (head && *head) {
        ALKNET_ASSERT((*head)->bytes <= text.size());
        ALKNET_ASSERT((*head)->status >= 0 && (*head)->status <= 999);
        (void)net::judge_connect_status((*head)->status);
    }
    // More octets never make a complete head another one.
    for (const std::size_t size : {text.size() / 2, text.size() - text.size() / 4}) {
        const auto part = net::read_connect_head(text.substr(0, size));
        if (part && *part) {
            ALKNET_ASSERT(head && *head && (*head)->bytes == (*part)->bytes);
        }
    }
}

void socks(BytesView data, bool credentials) {
    constexpr std::size_t kStepsMax = 4;
    net::ProxyUrl proxy;
    proxy.kind = net::ProxyUrl::Kind::socks5;
    if (credentials) {
        proxy.user = "user";
        proxy.password = "password";
    }
    net::Socks5Client client(proxy, "node.example", 4433);
    std::size_t steps = 0;
    while (!client.done()) {
        ALKNET_ASSERT(++steps <= kStepsMax);
        ALKNET_ASSERT(client.take_output().size() <= 600);
        const std::size_t wanted = client.wanted();
        ALKNET_ASSERT(wanted > 0 && wanted <= 257);
        if (wanted > data.size()) {
            return;
        }
        if (!client.receive(data.first(wanted))) {
            return;
        }
        data = data.subspan(wanted);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const BytesView answer = view_octets(data, size).subspan(1);
    if (data[0] == 'h') {
        http(as_text(answer));
    } else {
        socks(answer, data[0] == 'c');
    }
    return 0;
}
