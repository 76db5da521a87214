// The parts of a ClientHello that choose the service and the identity (RFC 8446 section 4.1.2).
// Sans-I/O: bytes in, values out.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::tls {

/// Views into the parsed message.
struct ClientHello {
    std::vector<std::string_view> alpns;  // RFC 7301, in the client's order; at most kAlpnsMax
    bool has_alpn = false;                // false: no extension at all
    std::string_view server_name;         // RFC 6066; empty: none
    bool raw_key_server = false;          // server_certificate_type offers RawPublicKey (RFC 7250)
    bool raw_key_client = false;  // client_certificate_type offers it, and no X.509 before it
    bool tls13 = false;           // supported_versions offers TLS 1.3
    bool can_resume = false;      // psk_key_exchange_modes offers psk_dhe_ke

    static constexpr std::size_t kAlpnsMax = 256;
};

/// `body` is the message without its 4-octet header. Refuses whatever does not fill its bounds
/// exactly, an extension that comes twice, and server names that are not printable ASCII.
/// Errors: kProtocol.
[[nodiscard]] result<ClientHello> parse_client_hello(BytesView body);

/// What a client over TCP may get besides what it has offered; the answer then names nothing.
inline constexpr std::string_view kUnansweredAlpn = "http/1.1";

/// Chooses a service. Called in the middle of a handshake, on the connection's loop, once or (after
/// a HelloRetryRequest) twice.
class AlpnSelector {
public:
    /// The name to answer with, one of `hello.alpns`, or over TCP kUnansweredAlpn, or empty for
    /// alert 120 (no_application_protocol). Over TCP, where `hello.has_alpn` is false, any name
    /// says which service such a client gets; on QUIC a client without ALPN is always refused (RFC
    /// 9001).
    [[nodiscard]] virtual std::string select_alpn(const ClientHello& hello) = 0;

protected:
    ~AlpnSelector() = default;
};

}  // namespace alknet::tls
