// The frames of a diagnosis on its stream: a type, a length, a body. Sans-I/O
// (docs/protocol/doctor.md).
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace alknet::doctor {

enum class FrameType : std::uint8_t {
    look = 1,      // client: how do you see me?
    seen = 2,      // server: like this
    data = 3,      // both: octets that mean nothing
    end = 4,       // that was all of the data; the server's has a count
    counted = 5,   // server: so much has come so far, in this time
    download = 6,  // client: send me so much, for so long at most
    report = 7,    // both
};

inline constexpr std::size_t kFrameHeaderBytes = 5;
inline constexpr std::size_t kFrameBodyBytesMax = 32 << 10;

struct Frame {
    FrameType type = FrameType::look;
    BytesView body;  // valid until the next call of the reader
};

/// What the server says about the connection.
struct Seen {
    SocketAddress observed;
    std::int64_t unix_ms = 0;
    std::uint64_t beginnings = 0;  // QUIC beginnings that came from this address
    std::uint32_t datagrams = 0;   // that came on this connection
    bool operator==(const Seen&) const = default;
};
struct Counted {
    std::uint64_t bytes = 0;
    std::uint64_t microseconds = 0;
    std::uint64_t cpu_microseconds = 0;     // of the server's thread, meanwhile
    std::uint64_t waited_microseconds = 0;  // for the transport to take or give octets
    // What older programs do not tell; then all of it is 0.
    bool given = false;              // counts what the server sends, not what it takes
    std::uint64_t packets_sent = 0;  // by the server on this connection, meanwhile; 0: not known
    std::uint64_t packets_lost = 0;  // of those
    std::uint64_t udp_drops = 0;     // by the server's machine, meanwhile, as its buffers were full
    std::uint32_t rtt_us = 0;        // as the server's transport has it now; 0: not known
    bool operator==(const Counted&) const = default;
};
struct Download {
    std::uint64_t bytes = 0;
    std::uint32_t milliseconds = 0;
    bool operator==(const Download&) const = default;
};

[[nodiscard]] Bytes encode_frame(FrameType type, BytesView body);
[[nodiscard]] Bytes encode(const Seen& seen);
/// As `counted`, or as `end`.
[[nodiscard]] Bytes encode(const Counted& counted, FrameType type = FrameType::counted);
[[nodiscard]] Bytes encode(const Download& download);
/// Bodies may be longer than what is known of them. Errors: kProtocol.
[[nodiscard]] result<Seen> decode_seen(BytesView body);
[[nodiscard]] result<Counted> decode_counted(BytesView body);
[[nodiscard]] result<Download> decode_download(BytesView body);

/// Puts frames together from whatever pieces arrive; holds at most one frame and one piece.
class FrameReader {
public:
    static constexpr std::size_t kPieceBytesMax = 64 << 10;

    /// Where the next piece goes: at least one octet, at most kPieceBytesMax.
    [[nodiscard]] MutableBytes room();
    void filled(std::size_t bytes) noexcept { end_ += bytes; }
    /// nullopt: more octets are needed. Errors: kProtocol for a type or a length that is not
    /// allowed; then the stream is of no more use.
    result<std::optional<Frame>> next();

private:
    Bytes buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace alknet::doctor
