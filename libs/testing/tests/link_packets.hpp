// IP packets for the tests of the lossy link, with right checksums.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/testing/ip_packet.hpp>
#include <cstdint>

namespace alknet::sim {

inline constexpr std::uint8_t kTcpNumber = 6;
inline constexpr std::uint8_t kUdpNumber = 17;

inline SocketAddress at(std::string_view text) {
    return SocketAddress::parse(text).value();
}

inline void put_word(Bytes& packet, std::size_t where, std::size_t value) {
    packet[where] = static_cast<std::byte>(value >> 8);
    packet[where + 1] = static_cast<std::byte>(value);
}

/// The one's complement sum of RFC 1071, byte by byte: not how the library computes it.
inline std::uint32_t plain_sum(BytesView bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

/// The sum over a message and its pseudo-header: 0xffff if the checksum in it is right.
inline std::uint32_t message_check(BytesView packet, std::uint8_t protocol) {
    const bool v6 = std::to_integer<int>(packet[0]) >> 4 == 6;
    const BytesView message = packet.subspan(v6 ? 40 : 20);
    Bytes all = to_bytes(packet.subspan(v6 ? 8 : 12, v6 ? 32 : 8));
    all.resize(all.size() + 4);
    put_word(all, all.size() - 4, message.size());
    put_word(all, all.size() - 2, protocol);
    all.insert(all.end(), message.begin(), message.end());
    return plain_sum(all);
}

/// A packet of `payload` octets behind 8 octets of UDP header (for TCP: the first 8 of its header).
inline Bytes make_packet(const SocketAddress& from, const SocketAddress& to, std::size_t payload,
                         std::uint8_t protocol = kUdpNumber) {
    const bool v6 = from.family() == SocketAddress::Family::v6;
    const std::size_t header = v6 ? 40 : 20;
    const std::size_t address = v6 ? 16 : 4;
    Bytes packet(header + 8 + payload);
    packet[0] = std::byte{v6 ? std::uint8_t{0x60} : std::uint8_t{0x45}};
    put_word(packet, v6 ? 4 : 2, v6 ? payload + 8 : packet.size());
    packet[v6 ? 6 : 9] = std::byte{protocol};
    for (std::size_t i = 0; i < address; ++i) {
        packet[header - 2 * address + i] = std::byte{from.ip()[i]};
        packet[header - address + i] = std::byte{to.ip()[i]};
    }
    if (!v6) {
        put_word(packet, 10, 0xffff - plain_sum(BytesView(packet).first(header)));
    }
    put_word(packet, header, from.port());
    put_word(packet, header + 2, to.port());
    if (protocol == kUdpNumber) {
        put_word(packet, header + 4, payload + 8);
        put_word(packet, header + 6, 0xffff - message_check(packet, kUdpNumber));
    }
    return packet;
}

}  // namespace alknet::sim
