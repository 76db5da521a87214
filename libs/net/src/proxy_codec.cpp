#include <alknet/net/proxy_codec.hpp>

#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/net/socket_address.hpp>
#include <array>

namespace alknet::net {

namespace {

bool is_v6(std::string_view host) {
    return host.find(':') != std::string_view::npos;
}

void put(Bytes& into, std::initializer_list<unsigned> octets) {
    for (const unsigned octet : octets) {
        into.push_back(static_cast<std::byte>(octet));
    }
}

void put(Bytes& into, BytesView data) {
    into.insert(into.end(), data.begin(), data.end());
}

void put_short_text(Bytes& into, std::string_view text) {
    put(into, {static_cast<unsigned>(text.size())});
    put(into, as_bytes(text));
}

std::uint8_t octet(BytesView data, std::size_t at) {
    return std::to_integer<std::uint8_t>(data[at]);
}

constexpr std::uint8_t kVersion = 5;
constexpr std::uint8_t kNoCredentials = 0;
constexpr std::uint8_t kPassword = 2;

}  // namespace

std::string connect_request(const ProxyUrl& proxy, std::string_view host, std::uint16_t port) {
    std::string authority(host);
    if (is_v6(host)) {
        authority.insert(0, "[").append("]");
    }
    authority.append(":").append(std::to_string(port));
    std::string text = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
    if (!proxy.user.empty()) {
        const std::string both = proxy.user + ":" + proxy.password;
        text += "Proxy-Authorization: Basic " + base64_encode(as_bytes(both)) + "\r\n";
    }
    return text + "\r\n";
}

result<std::optional<ConnectHead>> read_connect_head(std::string_view received) {
    constexpr std::string_view kEnd = "\r\n\r\n";
    constexpr std::string_view kName = "HTTP/1.";
    // Whatever does not even begin like an answer is told before it ends.
    if (!received.starts_with(kName.substr(0, received.size()))) {
        return fail(causes::kProtocol, "the proxy does not speak HTTP/1");
    }
    const std::size_t end = received.substr(0, kConnectHeadBytesMax).find(kEnd);
    if (end == std::string_view::npos) {
        if (received.size() >= kConnectHeadBytesMax) {
            return fail(causes::kLimit, "the head of the proxy's answer is too long");
        }
        return std::nullopt;
    }
    // HTTP/1.x SP 3DIGIT (RFC 9112 section 4); what follows is for people.
    const auto digit = [&](std::size_t at) { return received[at] >= '0' && received[at] <= '9'; };
    constexpr std::size_t kStatus = kName.size() + 2;
    const bool whole = end >= kStatus + 3 && digit(kName.size()) && received[kStatus - 1] == ' ' &&
                       digit(kStatus) && digit(kStatus + 1) && digit(kStatus + 2) &&
                       (received[kStatus + 3] == ' ' || received[kStatus + 3] == '\r');
    if (!whole) {
        return fail(causes::kProtocol, "the proxy's answer has no status");
    }
    const auto value = [&](std::size_t at) { return received[at] - '0'; };
    return ConnectHead{
        .status = value(kStatus) * 100 + value(kStatus + 1) * 10 + value(kStatus + 2),
        .bytes = end + kEnd.size()};
}

result<void> judge_connect_status(int status) {
    if (status >= 200 && status < 300) {
        return {};
    }
    const std::string text = "it answered " + std::to_string(status);
    if (status == 407) {
        return fail(causes::kProxyAuth, text);
    }
    if (status == 502 || status == 503 || status == 504) {
        return fail(causes::kUnreachable, text);
    }
    return fail(causes::kProxyRefused, text);
}

Socks5Client::Socks5Client(const ProxyUrl& proxy, std::string_view host, std::uint16_t port)
    : proxy_(proxy), host_(host), port_(port) {
    if (proxy_.user.empty()) {
        put(output_, {kVersion, 1, kNoCredentials});
    } else {
        put(output_, {kVersion, 2, kNoCredentials, kPassword});
    }
}

result<void> Socks5Client::receive(BytesView data) {
    if (data.size() != wanted_ || done()) {
        return fail(causes::kProtocol, "SOCKS octets that nobody asked for");
    }
    switch (step_) {
        case Step::method:
            if (octet(data, 0) != kVersion) {
                return fail(causes::kProtocol, "the proxy does not speak SOCKS5");
            }
            return method(octet(data, 1));
        case Step::credentials:
            if (octet(data, 1) != 0) {
                return fail(causes::kProxyAuth, "it does not know this user and password");
            }
            ask();
            return {};
        case Step::reply:
            return reply(data);
        case Step::address:
        case Step::done:
            break;
    }
    step_ = Step::done;
    wanted_ = 0;
    return {};
}

result<void> Socks5Client::method(std::uint8_t chosen) {
    if (chosen == kPassword && !proxy_.user.empty()) {
        put(output_, {1});
        put_short_text(output_, proxy_.user);
        put_short_text(output_, proxy_.password);
        step_ = Step::credentials;
        wanted_ = 2;
        return {};
    }
    if (chosen == kNoCredentials) {
        ask();
        return {};
    }
    return fail(causes::kProxyAuth, proxy_.user.empty() ? "it wants a user and a password"
                                                        : "it wants other credentials");
}

void Socks5Client::ask() {
    put(output_, {kVersion, 1, 0});
    const auto literal =
        SocketAddress::parse(is_v6(host_) ? "[" + host_ + "]:1" : std::string(host_) + ":1");
    if (!literal) {
        put(output_, {3});
        put_short_text(output_, host_);
    } else {
        const bool v4 = literal->family() == SocketAddress::Family::v4;
        put(output_, {v4 ? 1U : 4U});
        put(output_, std::as_bytes(std::span(literal->ip())).first(v4 ? 4 : 16));
    }
    put(output_, {static_cast<unsigned>(port_ >> 8), static_cast<unsigned>(port_ & 0xff)});
    step_ = Step::reply;
    wanted_ = 5;  // up to the first octet of the address, which may be its length
}

result<void> Socks5Client::reply(BytesView data) {
    // RFC 1928 section 6.
    constexpr std::array<std::string_view, 9> kReplies = {
        "",
        "it failed",
        "its rules do not allow this",
        "it says: network unreachable",
        "it says: host unreachable",
        "it says: connection refused",
        "it says: no way there in time",
        "it cannot make connections",
        "it does not know this kind of address",
    };
    if (octet(data, 0) != kVersion) {
        return fail(causes::kProtocol, "the proxy does not speak SOCKS5");
    }
    const std::uint8_t code = octet(data, 1);
    if (code != 0) {
        const bool not_there = code >= 3 && code <= 6;
        const std::string_view text = code < kReplies.size() ? kReplies[code] : kReplies[1];
        return fail(not_there ? causes::kUnreachable : causes::kProxyRefused, std::string(text));
    }
    constexpr std::size_t kPortBytes = 2;
    switch (octet(data, 3)) {
        case 1:
            wanted_ = 4 - 1 + kPortBytes;
            break;
        case 3:
            wanted_ = std::size_t{octet(data, 4)} + kPortBytes;
            break;
        case 4:
            wanted_ = 16 - 1 + kPortBytes;
            break;
        default:
            return fail(causes::kProtocol, "an address of an unknown kind");
    }
    step_ = Step::address;
    return {};
}

}  // namespace alknet::net
