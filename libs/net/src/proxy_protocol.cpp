#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/net/proxy_protocol.hpp>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::net {

namespace {

constexpr std::string_view kV1Start = "PROXY ";
constexpr std::string_view kV2Signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kV2FixedBytes = 16;

enum class Command : std::uint8_t { local = 0, proxy = 1 };
enum class AddressKind : std::uint8_t {
    unspecified = 0x00,
    tcp4 = 0x11,
    tcp6 = 0x21,
    unix_stream = 0x31,
};
constexpr std::size_t kV4Bytes = 12;
constexpr std::size_t kV6Bytes = 36;
constexpr std::size_t kUnixBytes = 216;

constexpr std::uint8_t kTlvCrc32c = 0x03;
constexpr std::uint8_t kTlvNoop = 0x04;
constexpr std::size_t kCrcBytes = 4;

std::unexpected<error> refuse(std::string_view why) {
    return fail(causes::kProxyHeader, std::string(why));
}

std::uint8_t octet(BytesView data, std::size_t at) noexcept {
    return std::to_integer<std::uint8_t>(data[at]);
}

std::uint16_t read_u16(BytesView data, std::size_t at) noexcept {
    return static_cast<std::uint16_t>((octet(data, at) << 8U) | octet(data, at + 1));
}

template <std::size_t Size>
std::array<std::uint8_t, Size> read_ip(BytesView data, std::size_t at) noexcept {
    std::array<std::uint8_t, Size> ip{};
    for (std::size_t i = 0; i < Size; ++i) {
        ip[i] = octet(data, at + i);
    }
    return ip;
}

/// The word up to the next space, which it takes off `text` along with the word.
std::string_view next_word(std::string_view& text) noexcept {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

std::optional<SocketAddress> parse_address(std::string_view ip, std::string_view port, bool v6) {
    const auto number = parse_plain_number<std::uint16_t>(port);
    if (!number || ip.find('%') != std::string_view::npos) {
        return std::nullopt;
    }
    const auto address =
        SocketAddress::parse(v6 ? "[" + std::string(ip) + "]:0" : std::string(ip) + ":0");
    const auto family = v6 ? SocketAddress::Family::v6 : SocketAddress::Family::v4;
    if (!address || (address->family() != family && !v6)) {
        return std::nullopt;
    }
    return address->with_port(*number);
}

/// CRC-32C (RFC 3720 appendix B.4) of a header whose own checksum, at `zeroed`, counts as zero.
std::uint32_t crc32c(BytesView data, std::size_t zeroed) noexcept {
    constexpr std::uint32_t kPolynomial = 0x82f63b78;
    std::uint32_t crc = ~0U;
    for (std::size_t i = 0; i < data.size(); ++i) {
        crc ^= i >= zeroed && i < zeroed + kCrcBytes ? 0U : octet(data, i);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0U);
        }
    }
    return ~crc;
}

// IPv4 as itself, or mapped into IPv6 (RFC 4291 section 2.5.5.2).
void write_ip(WireWriter& out, const SocketAddress& address, bool v6) {
    const BytesView ip = std::as_bytes(std::span(address.ip()));
    const bool is_v4 = address.family() == SocketAddress::Family::v4;
    if (v6 && is_v4) {
        out.append(Bytes(10));
        out.number(std::uint16_t{0xffff});
    }
    out.append(is_v4 ? ip.first(4) : ip);
}

}  // namespace

result<Bytes> encode_proxy_header(const ProxyHeader& header) {
    using Family = SocketAddress::Family;
    const bool known =
        header.source.family() != Family::none && header.destination.family() != Family::none;
    const bool v6 = known && (header.source.family() == Family::v6 ||
                              header.destination.family() == Family::v6);
    const AddressKind kind = v6      ? AddressKind::tcp6
                             : known ? AddressKind::tcp4
                                     : AddressKind::unspecified;
    WireWriter body;
    if (known) {
        write_ip(body, header.source, v6);
        write_ip(body, header.destination, v6);
        body.number(header.source.port());
        body.number(header.destination.port());
    }
    for (const ProxyTlv& tlv : header.tlvs) {
        if (tlv.value.size() > ProxyHeaderReader::kV2BytesMax) {
            return fail(causes::kLimit, "a PROXY header has at most 4096 octets");
        }
        body.number(tlv.type);
        body.number(static_cast<std::uint16_t>(tlv.value.size()));
        body.append(tlv.value);
    }
    if (kV2FixedBytes + body.size() > ProxyHeaderReader::kV2BytesMax) {
        return fail(causes::kLimit, "a PROXY header has at most 4096 octets");
    }
    constexpr unsigned kVersion2 = 2U << 4U;
    WireWriter out;
    out.append(as_bytes(kV2Signature));
    out.number(static_cast<std::uint8_t>(kVersion2 | static_cast<unsigned>(Command::proxy)));
    out.number(static_cast<std::uint8_t>(kind));
    out.number(static_cast<std::uint16_t>(body.size()));
    out.append(body.view());
    return out.take();
}

bool looks_like_proxy_header(BytesView first) noexcept {
    const std::string_view text = as_text(first);
    return text.size() >= kProxyMagicBytes &&
           (text.starts_with(kV1Start) ||
            text.starts_with(kV2Signature.substr(0, kProxyMagicBytes)));
}

result<void> ProxyHeaderReader::add(BytesView data) {
    ALKNET_ASSERT(data.size() <= wanted_);
    received_.insert(received_.end(), data.begin(), data.end());
    wanted_ -= data.size();
    return wanted_ == 0 ? parse() : result<void>{};
}

result<void> ProxyHeaderReader::parse() {
    const std::string_view text = as_text(BytesView(received_));
    if (text.starts_with(kV1Start)) {
        return parse_v1();
    }
    if (text.starts_with(kV2Signature)) {
        return parse_v2();
    }
    return refuse("there is none, where a trusted proxy must send one");
}

result<void> ProxyHeaderReader::parse_v1() {
    std::string_view line = as_text(BytesView(received_));
    if (!line.ends_with("\r\n")) {
        if (line.find('\n') != std::string_view::npos) {
            return refuse("its line ends without a carriage return");
        }
        if (line.size() >= kV1BytesMax) {
            return refuse("its line is longer than 107 octets");
        }
        wanted_ = line.ends_with('\r') || line.size() == kV1BytesMax - 1 ? 1 : 2;
        return {};
    }
    line.remove_suffix(2);
    line.remove_prefix(kV1Start.size());
    const std::string_view protocol = next_word(line);
    if (protocol == "UNKNOWN") {
        return {};
    }
    if (protocol != "TCP4" && protocol != "TCP6") {
        return refuse("its protocol is none of TCP4, TCP6 and UNKNOWN");
    }
    const std::string_view from = next_word(line);
    const std::string_view to = next_word(line);
    const std::string_view from_port = next_word(line);
    const bool v6 = protocol == "TCP6";
    const auto source = parse_address(from, from_port, v6);
    const auto destination = parse_address(to, line, v6);
    if (!source || !destination) {
        return refuse("its addresses are malformed");
    }
    header_.source = *source;
    header_.destination = *destination;
    return {};
}

result<void> ProxyHeaderReader::parse_v2() {
    const BytesView data(received_);
    if (data.size() < kV2FixedBytes) {
        wanted_ = kV2FixedBytes - data.size();
        return {};
    }
    const std::size_t whole = kV2FixedBytes + read_u16(data, kV2FixedBytes - 2);
    if (whole > kV2BytesMax) {
        return refuse("it is longer than 4096 octets");
    }
    if (data.size() < whole) {
        wanted_ = whole - data.size();
        return {};
    }
    const std::uint8_t version_and_command = octet(data, kV2Signature.size());
    if (version_and_command >> 4U != 2) {
        return refuse("its version is not known");
    }
    switch (static_cast<Command>(version_and_command & 0x0fU)) {
        case Command::local:
            return {};
        case Command::proxy:
            return parse_v2_body(data.subspan(kV2FixedBytes));
    }
    return refuse("its command is not known");
}

result<void> ProxyHeaderReader::parse_v2_body(BytesView body) {
    std::size_t size = 0;
    switch (static_cast<AddressKind>(octet(received_, kV2Signature.size() + 1))) {
        case AddressKind::unspecified:
            break;
        case AddressKind::tcp4:
            size = kV4Bytes;
            break;
        case AddressKind::tcp6:
            size = kV6Bytes;
            break;
        case AddressKind::unix_stream:
            size = kUnixBytes;
            break;
        default:
            return refuse("it speaks of something else than a stream");
    }
    if (body.size() < size) {
        return refuse("its addresses are cut off");
    }
    if (size == kV4Bytes) {
        header_.source = SocketAddress::v4(read_ip<4>(body, 0), read_u16(body, 8));
        header_.destination = SocketAddress::v4(read_ip<4>(body, 4), read_u16(body, 10));
    } else if (size == kV6Bytes) {
        header_.source = SocketAddress::v6(read_ip<16>(body, 0), read_u16(body, 32));
        header_.destination = SocketAddress::v6(read_ip<16>(body, 16), read_u16(body, 34));
    }
    return parse_tlvs(body.subspan(size), kV2FixedBytes + size);
}

result<void> ProxyHeaderReader::parse_tlvs(BytesView tlvs, std::size_t offset) {
    constexpr std::size_t kHeadBytes = 3;
    while (!tlvs.empty()) {
        if (tlvs.size() < kHeadBytes || tlvs.size() - kHeadBytes < read_u16(tlvs, 1)) {
            return refuse("one of its values is cut off");
        }
        const std::uint8_t type = octet(tlvs, 0);
        const BytesView value = tlvs.subspan(kHeadBytes, read_u16(tlvs, 1));
        if (type == kTlvCrc32c) {
            if (value.size() != kCrcBytes ||
                ((std::uint32_t{read_u16(value, 0)} << 16U) | read_u16(value, 2)) !=
                    crc32c(received_, offset + kHeadBytes)) {
                return refuse("its checksum is wrong");
            }
        } else if (type != kTlvNoop) {
            if (header_.tlvs.size() == kTlvsMax) {
                return refuse("it has more than 32 values");
            }
            header_.tlvs.push_back({type, to_bytes(value)});
        }
        offset += kHeadBytes + value.size();
        tlvs = tlvs.subspan(kHeadBytes + value.size());
    }
    return {};
}

}  // namespace alknet::net
