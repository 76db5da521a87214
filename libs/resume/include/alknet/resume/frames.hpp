// The frames of `alknet/resume` (docs/protocol/resumable.md): values, their octets, and a reader
// that takes octets as they come. No clock, no I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace alknet::resume {

inline constexpr std::string_view kResumeAlpn = "alknet/resume";
inline constexpr std::uint8_t kVersion = 1;

/// Octets of a header: type, length.
inline constexpr std::size_t kHeaderBytes = 3;
/// Payload of one DATA frame.
inline constexpr std::size_t kDataBytesMax = 16 << 10;
inline constexpr std::size_t kBodyBytesMax = 8 + kDataBytesMax;
inline constexpr std::size_t kFrameBytesMax = kHeaderBytes + kBodyBytesMax;
inline constexpr std::size_t kRefusalTextBytesMax = 255;
inline constexpr std::size_t kAlpnBytesMax = 31;
/// Positions in a direction are below this, so that no sum of two overflows.
inline constexpr std::uint64_t kPositionEnd = std::uint64_t{1} << 62;

struct StreamId {
    std::array<std::byte, 16> octets{};
    auto operator<=>(const StreamId&) const = default;
};

/// Where a receiver is: it has all positions below `received`, and takes data below `limit`.
struct Position {
    std::uint64_t received = 0;
    std::uint64_t limit = 0;
    bool operator==(const Position&) const = default;
};

/// The first frame of a new stream.
struct Open {
    std::uint8_t version = kVersion;
    StreamId id;
    std::uint32_t ring_bytes = 0;      // the opener's limit at the beginning
    std::uint32_t linger_seconds = 0;  // wished for
    std::string alpn;
    bool operator==(const Open&) const = default;
};
/// The first frame of one that goes on.
struct Resume {
    std::uint8_t version = kVersion;
    StreamId id;
    Position position;
    bool operator==(const Resume&) const = default;
};
struct Accept {
    Position position;
    std::uint32_t linger_seconds = 0;  // granted
    bool operator==(const Accept&) const = default;
};
struct Refuse {
    std::uint16_t code = 0;  // close_code, or kUnknownStream
    std::string text;
    bool operator==(const Refuse&) const = default;
};
/// Refuse::code for an id that is not known, or not this peer's.
inline constexpr std::uint16_t kUnknownStream = 16;

struct Data {
    std::uint64_t offset = 0;
    BytesView octets;  // of the reader's buffer
};
struct Ack {
    Position position;
    bool operator==(const Ack&) const = default;
};
struct Fin {
    std::uint64_t offset = 0;
    bool operator==(const Fin&) const = default;
};
struct Reset {
    std::uint64_t offset = 0;
    std::uint64_t code = 0;
    bool operator==(const Reset&) const = default;
};
struct Stop {
    std::uint64_t code = 0;
    bool operator==(const Stop&) const = default;
};
/// To be answered by an ACK at once.
struct Ping {
    bool operator==(const Ping&) const = default;
};
/// The opener has everything and needs nothing: the stream may be forgotten.
struct Done {
    bool operator==(const Done&) const = default;
};

using Frame = std::variant<Open, Resume, Accept, Refuse, Data, Ack, Fin, Reset, Stop, Ping, Done>;

/// Appends the octets of a frame. What the limits above do not allow must not be given.
void append_frame(Bytes& into, const Frame& frame);

/// Takes octets in pieces of any size and gives frames.
class FrameReader {
public:
    /// Where the next octets from the transport belong; never empty once `next` has given nullopt.
    [[nodiscard]] MutableBytes space();
    void commit(std::size_t size) noexcept { end_ += size; }

    /// The next whole frame; nullopt: more octets are needed. A frame's views last until the next
    /// call of `next` or `space`. Errors: kProtocol, for good.
    result<std::optional<Frame>> next();

private:
    static constexpr std::size_t kBufferFirst = 2 << 10;
    static constexpr std::size_t kBufferMax = 2 * kFrameBytesMax;

    Bytes buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace alknet::resume
