#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/testing/ip_packet.hpp>
#include <array>

namespace alknet::sim {

namespace {

constexpr std::size_t kV4HeaderBytes = 20;
constexpr std::size_t kV6HeaderBytes = 40;
constexpr std::size_t kUdpHeaderBytes = 8;
constexpr std::size_t kIcmpHeaderBytes = 8;
constexpr std::size_t kV6LeastMtu = 1280;  // an ICMPv6 error is never larger
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kHopLimit = 64;

// Where the fields of a header are. The addresses are the last of them, source first.
struct Layout {
    std::size_t addresses;
    std::size_t address_bytes;
};
constexpr Layout kV4{12, 4};
constexpr Layout kV6{8, 16};

std::uint8_t octet(BytesView bytes, std::size_t at) noexcept {
    return std::to_integer<std::uint8_t>(bytes[at]);
}

std::uint16_t word(BytesView bytes, std::size_t at) noexcept {
    return static_cast<std::uint16_t>(octet(bytes, at) << 8 | octet(bytes, at + 1));
}

void put_word(MutableBytes bytes, std::size_t at, std::size_t value) noexcept {
    bytes[at] = static_cast<std::byte>(value >> 8);
    bytes[at + 1] = static_cast<std::byte>(value);
}

bool is_v6(BytesView packet) noexcept {
    return octet(packet, 0) >> 4 == 6;
}

const Layout& layout_of(BytesView packet) noexcept {
    return is_v6(packet) ? kV6 : kV4;
}

BytesView address_of(BytesView packet, IpEnd end) noexcept {
    const Layout& layout = layout_of(packet);
    const std::size_t skip = end == IpEnd::source ? 0 : layout.address_bytes;
    return packet.subspan(layout.addresses + skip, layout.address_bytes);
}

/// RFC 1071, without the complement, so that parts can be added.
std::uint32_t sum_words(BytesView bytes, std::uint32_t sum = 0) noexcept {
    for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
        sum += word(bytes, at);
    }
    if (bytes.size() % 2 == 1) {
        sum += static_cast<std::uint32_t>(octet(bytes, bytes.size() - 1)) << 8;
    }
    return (sum & 0xffff) + (sum >> 16);
}

std::uint16_t finish_sum(std::uint32_t sum) noexcept {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

/// Of a UDP or ICMPv6 message behind the pseudo-header of its packet.
std::uint16_t message_sum(BytesView packet, std::size_t header, std::uint8_t protocol) noexcept {
    const BytesView message = packet.subspan(header);
    std::uint32_t sum = protocol + static_cast<std::uint32_t>(message.size());
    sum = sum_words(address_of(packet, IpEnd::source), sum);
    sum = sum_words(address_of(packet, IpEnd::destination), sum);
    return finish_sum(sum_words(message, sum));
}

void put_v4_header_sum(MutableBytes packet, std::size_t header) noexcept {
    put_word(packet, 10, 0);
    put_word(packet, 10, finish_sum(sum_words(packet.first(header))));
}

SocketAddress read_address(BytesView packet, IpEnd end, std::uint16_t port) noexcept {
    std::array<std::uint8_t, 16> ip{};
    const BytesView from = address_of(packet, end);
    std::ranges::transform(from, ip.begin(),
                           [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
    if (is_v6(packet)) {
        return SocketAddress::v6(ip, port);
    }
    return SocketAddress::v4({ip[0], ip[1], ip[2], ip[3]}, port);
}

struct Frame {
    std::size_t header;
    std::uint8_t protocol;
    bool whole;
};

std::optional<Frame> parse_frame(BytesView packet) noexcept {
    if (packet.size() < kV4HeaderBytes) {
        return std::nullopt;
    }
    if (is_v6(packet)) {
        if (packet.size() < kV6HeaderBytes || kV6HeaderBytes + word(packet, 4) != packet.size()) {
            return std::nullopt;
        }
        return Frame{kV6HeaderBytes, octet(packet, 6), true};
    }
    const std::size_t header = std::size_t{octet(packet, 0)} % 16 * 4;
    if (octet(packet, 0) >> 4 != 4 || header < kV4HeaderBytes || header > packet.size() ||
        word(packet, 2) != packet.size()) {
        return std::nullopt;
    }
    return Frame{header, octet(packet, 9), (word(packet, 6) & 0x3fff) == 0};
}

Bytes icmp_v4(BytesView packet, IcmpError error, std::size_t mtu) {
    const std::size_t header = std::size_t{octet(packet, 0)} % 16 * 4;
    const std::size_t quoted = std::min(packet.size(), header + kUdpHeaderBytes);
    Bytes answer(kV4HeaderBytes + kIcmpHeaderBytes + quoted);
    answer[0] = std::byte{0x45};
    put_word(answer, 2, answer.size());
    answer[8] = std::byte{kHopLimit};
    answer[9] = std::byte{kIcmp};
    std::ranges::copy(address_of(packet, IpEnd::destination), answer.begin() + 12);
    std::ranges::copy(address_of(packet, IpEnd::source), answer.begin() + 16);
    put_v4_header_sum(answer, kV4HeaderBytes);

    const MutableBytes message = MutableBytes(answer).subspan(kV4HeaderBytes);
    message[0] = std::byte{3};
    message[1] = std::byte{error == IcmpError::too_big ? std::uint8_t{4} : std::uint8_t{3}};
    put_word(message, 6, error == IcmpError::too_big ? mtu : 0);
    std::ranges::copy(packet.first(quoted), message.begin() + kIcmpHeaderBytes);
    put_word(message, 2, finish_sum(sum_words(message)));
    return answer;
}

Bytes icmp_v6(BytesView packet, IcmpError error, std::size_t mtu) {
    const std::size_t quoted =
        std::min(packet.size(), kV6LeastMtu - kV6HeaderBytes - kIcmpHeaderBytes);
    Bytes answer(kV6HeaderBytes + kIcmpHeaderBytes + quoted);
    answer[0] = std::byte{0x60};
    put_word(answer, 4, kIcmpHeaderBytes + quoted);
    answer[6] = std::byte{kIcmp6};
    answer[7] = std::byte{kHopLimit};
    std::ranges::copy(address_of(packet, IpEnd::destination), answer.begin() + 8);
    std::ranges::copy(address_of(packet, IpEnd::source), answer.begin() + 24);

    const MutableBytes message = MutableBytes(answer).subspan(kV6HeaderBytes);
    message[0] = std::byte{error == IcmpError::too_big ? std::uint8_t{2} : std::uint8_t{1}};
    message[1] = std::byte{error == IcmpError::too_big ? std::uint8_t{0} : std::uint8_t{4}};
    put_word(message, 6, error == IcmpError::too_big ? mtu : 0);
    std::ranges::copy(packet.first(quoted), message.begin() + kIcmpHeaderBytes);
    put_word(message, 2, message_sum(answer, kV6HeaderBytes, kIcmp6));
    return answer;
}

}  // namespace

std::optional<IpPacket> parse_ip(BytesView packet) noexcept {
    const auto frame = parse_frame(packet);
    if (!frame) {
        return std::nullopt;
    }
    IpPacket parsed;
    parsed.header_bytes = frame->header;
    std::uint16_t from_port = 0;
    std::uint16_t to_port = 0;
    const bool ports = frame->protocol == kUdp || frame->protocol == kTcp;
    if (ports && frame->whole && packet.size() >= frame->header + kUdpHeaderBytes) {
        parsed.protocol =
            frame->protocol == kUdp ? IpPacket::Protocol::udp : IpPacket::Protocol::tcp;
        from_port = word(packet, frame->header);
        to_port = word(packet, frame->header + 2);
    }
    parsed.from = read_address(packet, IpEnd::source, from_port);
    parsed.to = read_address(packet, IpEnd::destination, to_port);
    return parsed;
}

Bytes make_icmp_error(BytesView packet, IcmpError error, std::size_t mtu) {
    return is_v6(packet) ? icmp_v6(packet, error, mtu) : icmp_v4(packet, error, mtu);
}

void rewrite_udp_address(MutableBytes packet, IpEnd end, const SocketAddress& address) {
    const Layout& layout = layout_of(packet);
    ALKNET_ASSERT((address.family() == SocketAddress::Family::v6) == is_v6(packet));
    const std::size_t skip = end == IpEnd::source ? 0 : layout.address_bytes;
    for (std::size_t i = 0; i < layout.address_bytes; ++i) {
        packet[layout.addresses + skip + i] = std::byte{address.ip()[i]};
    }
    const std::size_t header =
        is_v6(packet) ? kV6HeaderBytes : std::size_t{octet(packet, 0)} % 16 * 4;
    if (!is_v6(packet)) {
        put_v4_header_sum(packet, header);
    }
    put_word(packet, header + 6, 0);
    const std::uint16_t sum = message_sum(packet, header, kUdp);
    put_word(packet, header + 6, sum == 0 ? 0xffff : sum);  // RFC 768: 0 means none
}

}  // namespace alknet::sim
