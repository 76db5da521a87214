// The PROXY protocol, versions 1 and 2 (haproxy.org/download/2.9/doc/proxy-protocol.txt): what a
// proxy says, before the first octet of its client, about whom it speaks for. Sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace alknet::net {

/// What a proxy adds, undecoded: type 1 is an ALPN, 2 a host name, 5 a unique id, 0x20 TLS.
struct ProxyTlv {
    std::uint8_t type = 0;
    Bytes value;
    bool operator==(const ProxyTlv&) const = default;
};

struct ProxyHeader {
    /// Of the client and of what it connected to. None when the proxy speaks for itself (a health
    /// check), or does not know: then the connection's own addresses hold.
    SocketAddress source;
    SocketAddress destination;
    std::vector<ProxyTlv> tlvs;
    bool operator==(const ProxyHeader&) const = default;
};

/// Whether these first octets of a stream can only be a header; at least kProxyMagicBytes are
/// needed.
[[nodiscard]] bool looks_like_proxy_header(BytesView first) noexcept;
inline constexpr std::size_t kProxyMagicBytes = 6;

/// A header of version 2 (section 2.2), as of a TCP connection; without addresses it says that
/// nothing is known of them. Errors: kLimit beyond ProxyHeaderReader::kV2BytesMax.
[[nodiscard]] result<Bytes> encode_proxy_header(const ProxyHeader& header);

/// Reads one header from the front of a stream and never asks for more than is its own.
class ProxyHeaderReader {
public:
    static constexpr std::size_t kV1BytesMax = 107;
    static constexpr std::size_t kV2BytesMax = 4096;
    static constexpr std::size_t kTlvsMax = 32;

    /// How many octets it needs next; 0 once it is done.
    [[nodiscard]] std::size_t wanted() const noexcept { return wanted_; }
    /// At most `wanted` octets. Errors: kProxyHeader, for good.
    [[nodiscard]] result<void> add(BytesView data);
    /// Once it is done.
    [[nodiscard]] const ProxyHeader& header() const noexcept { return header_; }

private:
    result<void> parse();
    result<void> parse_v1();
    result<void> parse_v2();
    result<void> parse_v2_body(BytesView body);
    result<void> parse_tlvs(BytesView tlvs, std::size_t offset);

    Bytes received_;
    std::size_t wanted_ = 12;  // the signature of version 2; no header of version 1 is as short
    ProxyHeader header_;
};

}  // namespace alknet::net
