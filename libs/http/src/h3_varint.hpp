// The numbers of QUIC and HTTP/3 (RFC 9000 section 16).
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstdint>
#include <optional>

namespace alknet::http {

/// Takes a number from the front; nullopt, and nothing taken, where it is not all there.
[[nodiscard]] inline std::optional<std::uint64_t> take_varint(BytesView& octets) noexcept {
    if (octets.empty()) {
        return std::nullopt;
    }
    const auto first = std::to_integer<std::uint8_t>(octets[0]);
    const std::size_t size = std::size_t{1} << (first >> 6);
    if (octets.size() < size) {
        return std::nullopt;
    }
    std::uint64_t value = first & 0x3fU;
    for (const std::byte octet : octets.subspan(1, size - 1)) {
        value = value << 8 | std::to_integer<std::uint64_t>(octet);
    }
    octets = octets.subspan(size);
    return value;
}

/// `value` is below 2^62.
inline void append_varint(Bytes& into, std::uint64_t value) {
    const unsigned log = value < 64 ? 0 : value < 16384 ? 1 : value < (1U << 30) ? 2 : 3;
    for (unsigned left = 1U << log; left-- > 0;) {
        auto octet = static_cast<std::uint8_t>(value >> (8 * left));
        if (left == (1U << log) - 1) {
            octet |= static_cast<std::uint8_t>(log << 6);
        }
        into.push_back(std::byte{octet});
    }
}

}  // namespace alknet::http
