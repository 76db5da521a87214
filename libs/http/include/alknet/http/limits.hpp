// What one client can make the HTTP engine hold or do. Those with a key stand under [http.limits]
// in alknet.toml; an answer that is owed to a limit names the key.
#pragma once

#include <alknet/rt/time.hpp>
#include <cstddef>
#include <cstdint>

namespace alknet::http {

/// Of one message; what the parser needs.
struct MessageLimits {
    std::uint64_t header_bytes_max = 16 << 10;  // request line and fields, as they arrive
    std::size_t fields_max = 100;
    std::uint64_t target_bytes_max = 8 << 10;
    std::uint64_t body_bytes_max = 16 << 20;

    bool operator==(const MessageLimits&) const = default;
};

inline constexpr std::size_t kMethodBytesMax = 32;
/// Of one chunk's line, and of all those of a message together.
inline constexpr std::size_t kChunkExtensionBytesMax = 256;
inline constexpr std::size_t kChunkExtensionsBytesMax = 8 << 10;
inline constexpr std::size_t kTrailerBytesMax = 4 << 10;
inline constexpr std::size_t kTrailersMax = 32;

/// Of one connection; what the driver needs.
struct ConnectionLimits {
    Duration header_timeout = std::chrono::seconds(10);      // from its first octet to its last
    Duration body_timeout = std::chrono::seconds(30);        // without a single octet
    Duration send_timeout = std::chrono::seconds(30);        // for each piece of kPieceBytes
    Duration keep_alive_timeout = std::chrono::seconds(75);  // between two requests
    std::uint64_t body_rate_min = 500;                       // octets a second, on average
    std::size_t requests_max = 10'000;
    // Of HTTP/2 and HTTP/3: requests at a time, and those that the client may take back before
    // they are answered, at once and on average (rapid reset).
    std::uint32_t streams_max = 256;
    std::uint64_t resets_burst = 500;
    std::uint64_t resets_per_second = 33;

    bool operator==(const ConnectionLimits&) const = default;
};

/// How long a body may be slower than body_rate_min at its beginning.
inline constexpr Duration kRateGrace = std::chrono::seconds(10);
/// What is read, and written, at a time.
inline constexpr std::size_t kPieceBytes = 16 << 10;
/// Of a request's body that nobody wanted: what is read to keep the connection.
inline constexpr std::uint64_t kUnreadBytesMax = 256 << 10;

/// How long a client that was answered before it had sent all may go on sending, and may pause.
inline constexpr Duration kLingerTime = std::chrono::seconds(30);
inline constexpr Duration kLingerPause = std::chrono::seconds(5);

/// Of each identity, and of each group of addresses that strangers come from, in the whole node.
struct RateLimits {
    std::uint64_t requests_per_second = 0;  // 0: as many as they like
    std::uint64_t requests_burst = 100;

    bool operator==(const RateLimits&) const = default;
};

struct Limits {
    MessageLimits message;
    ConnectionLimits connection;
    RateLimits rate{};

    bool operator==(const Limits&) const = default;
};

}  // namespace alknet::http
