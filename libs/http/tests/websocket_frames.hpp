// Frames of WebSockets by hand, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace alknet::http::test {

inline constexpr std::uint8_t kContinuation = 0;
inline constexpr std::uint8_t kText = 1;
inline constexpr std::uint8_t kBinary = 2;
inline constexpr std::uint8_t kClose = 8;
inline constexpr std::uint8_t kPing = 9;
inline constexpr std::uint8_t kPong = 10;

struct FrameOptions {
    bool fin = true;
    unsigned rsv = 0;
    bool masked = true;  // as clients do
};

inline std::string big_endian(std::uint64_t number, unsigned octets) {
    std::string text;
    for (unsigned i = octets; i > 0; --i) {
        text.push_back(static_cast<char>((number >> (8 * (i - 1))) & 0xffU));
    }
    return text;
}

inline std::string frame(std::uint8_t opcode, std::string_view payload,
                         const FrameOptions& options = {}) {
    constexpr std::string_view kMask = "\x37\xfa\x21\x3d";
    std::string text;
    text.push_back(static_cast<char>((options.fin ? 0x80U : 0U) | (options.rsv << 4U) | opcode));
    const unsigned masked = options.masked ? 0x80U : 0U;
    if (payload.size() < 126) {
        text.push_back(static_cast<char>(masked | payload.size()));
    } else if (payload.size() < 65536) {
        text.push_back(static_cast<char>(masked | 126U));
        text += big_endian(payload.size(), 2);
    } else {
        text.push_back(static_cast<char>(masked | 127U));
        text += big_endian(payload.size(), 8);
    }
    if (!options.masked) {
        return text.append(payload);
    }
    text += kMask;
    for (std::size_t i = 0; i < payload.size(); ++i) {
        text.push_back(static_cast<char>(payload[i] ^ kMask[i % 4]));
    }
    return text;
}

inline std::string close_frame(std::uint16_t code, std::string_view reason = {},
                               const FrameOptions& options = {}) {
    return frame(kClose, big_endian(code, 2).append(reason), options);
}

/// A message in frames of `size` octets.
inline std::string fragmented(std::uint8_t opcode, std::string_view payload, std::size_t size,
                              std::string_view between = {}) {
    std::string text;
    bool first = true;
    while (first || !payload.empty()) {
        const std::string_view piece = payload.substr(0, size);
        payload.remove_prefix(piece.size());
        text += frame(first ? opcode : kContinuation, piece, {.fin = payload.empty()});
        if (!payload.empty()) {
            text += between;
        }
        first = false;
    }
    return text;
}

}  // namespace alknet::http::test
