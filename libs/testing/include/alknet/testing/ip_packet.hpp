// The little of IPv4 (RFC 791) and IPv6 (RFC 8200) that a link between two devices must know: who
// talks to whom, what a router would answer, and another address in place of one.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace alknet::sim {

struct IpPacket {
    enum class Protocol : std::uint8_t { udp, tcp, other };

    Protocol protocol = Protocol::other;
    SocketAddress from;  // with ports where the protocol is UDP or TCP
    SocketAddress to;
    std::size_t header_bytes = 0;  // where the protocol's own header begins
};

/// Empty if the octets are not one whole packet. Fragments, and packets with IPv6 extension
/// headers, are `other`.
[[nodiscard]] std::optional<IpPacket> parse_ip(BytesView packet) noexcept;

enum class IcmpError : std::uint8_t { port_unreachable, too_big };

/// What a router answers to the sender of `packet`, which parse_ip accepted: RFC 792, RFC 1191,
/// RFC 4443. `mtu` goes into `too_big` alone.
[[nodiscard]] Bytes make_icmp_error(BytesView packet, IcmpError error, std::size_t mtu = 0);

enum class IpEnd : std::uint8_t { source, destination };

/// Puts the IP of `address`, which must be of the packet's family, in place of one of the two, and
/// mends the checksums. For UDP packets that parse_ip accepted.
void rewrite_udp_address(MutableBytes packet, IpEnd end, const SocketAddress& address);

}  // namespace alknet::sim
