// Proxies: what HTTPS_PROXY, ALL_PROXY and NO_PROXY say, and TCP connections that an HTTP proxy
// (CONNECT, RFC 9110 section 9.3.6) or a SOCKS5 proxy (RFC 1928, 1929) makes for us.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/network.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet {
class Loop;
}

namespace alknet::net {

/// `http://[USER[:PASSWORD]@]HOST[:PORT]`, `socks5://…` or `socks5h://…`; without a scheme it is
/// http. The last two mean the same here: names are always resolved by the proxy.
struct ProxyUrl {
    enum class Kind : std::uint8_t { http, socks5 };
    static constexpr std::size_t kTextBytesMax = 2048;
    static constexpr std::size_t kHostBytesMax = 253;
    static constexpr std::size_t kCredentialBytesMax = 255;  // each (RFC 1929 section 2)

    Kind kind = Kind::http;
    std::string host;  // without brackets
    std::uint16_t port = 0;
    std::string user;  // empty: no credentials
    std::string password;

    /// Errors: kProxyInvalid, whose detail never has the password.
    static result<ProxyUrl> parse(std::string_view text);
    /// Without the credentials.
    [[nodiscard]] std::string to_string() const;
    bool operator==(const ProxyUrl&) const = default;
};

/// What the environment says. Lower case counts before upper case, as with other programs.
struct ProxySettings {
    std::string https_proxy;
    std::string all_proxy;
    std::string no_proxy;

    static ProxySettings from_environment();
    /// The proxy for a host; nullopt: none is set, or NO_PROXY names the host.
    /// Errors: kProxyInvalid.
    [[nodiscard]] result<std::optional<ProxyUrl>> proxy_for(std::string_view host,
                                                            std::uint16_t port) const;
};

/// Whether NO_PROXY leaves this host out: names with everything below them, addresses, networks
/// (10.0.0.0/8), each with :PORT if wanted, and * for all.
[[nodiscard]] bool no_proxy_covers(std::string_view no_proxy, std::string_view host,
                                   std::uint16_t port);

/// A connection to `host` as the proxy makes it; the stream begins with what the host says, and
/// `remote` is the proxy. On a real socket `finish` ends nothing before the stream is destroyed:
/// what it carries needs an end of its own, as TLS has. Errors: kProxyAuth, kProxyRefused,
/// kProtocol; kUnreachable, also when it is the proxy that cannot reach the host; those of
/// Network::resolve and connect_tcp.
task<result<TcpStream>> connect_through(Loop& loop, Network& network, ProxyUrl proxy,
                                        std::string host, std::uint16_t port);

}  // namespace alknet::net
