// The one table of limits that a node's owner can set: the keys under [limits] in alknet.toml,
// their defaults and their ranges. A limit that strikes says its key (`limit_reached`), so that
// whoever meets it knows what to raise. Limits that nobody has a reason to change are constants of
// the room that they protect.
#pragma once

#include <alknet/base/result.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

namespace alknet {

/// Sizes in octets.
struct Limits {
    // Connections.
    std::uint64_t connections_max = 10'000;
    std::uint64_t connections_per_ip_max = 100;  // IPv6 by its /56
    std::uint64_t connections_per_identity_max = 100;

    // Handshakes.
    std::uint64_t half_open_max = 1'000;
    std::uint64_t half_open_retry_threshold = 100;  // above: QUIC clients must prove their address
    std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);

    // One connection.
    std::chrono::nanoseconds idle_timeout = std::chrono::seconds(60);
    std::uint64_t streams_bidi_max = 100;
    std::uint64_t streams_uni_max = 100;
    std::uint64_t connection_bytes_max = 16U << 20;  // all its buffers together
    std::uint64_t stream_bytes_max = 1U << 20;
    std::uint64_t datagrams_queued_max = 256;

    // The same for those who have not proven an identity that the node knows.
    std::uint64_t unauthenticated_streams_max = 8;
    std::uint64_t unauthenticated_connection_bytes_max = 256U << 10;
    std::uint64_t unauthenticated_stream_bytes_max = 64U << 10;

    // The node.
    std::chrono::nanoseconds shutdown_grace = std::chrono::seconds(2);
    std::uint64_t blocking_threads = 4;
    std::uint64_t blocking_queue_max = 256;

    bool operator==(const Limits&) const = default;
};

enum class LimitUnit : std::uint8_t { count, octets, duration };

/// One row of the table.
struct LimitInfo {
    std::string_view key;   // under [limits]
    std::string_view what;  // half a sentence for the commented configuration
    LimitUnit unit;
    std::variant<std::uint64_t Limits::*, std::chrono::nanoseconds Limits::*> member;
    std::uint64_t lowest;  // durations in milliseconds
    std::uint64_t highest;
};

/// All rows, in the order of the struct.
[[nodiscard]] std::span<const LimitInfo> all_limits() noexcept;
/// Null if there is none.
[[nodiscard]] const LimitInfo* find_limit(std::string_view key) noexcept;

/// The value of a row in its unit (durations in milliseconds).
[[nodiscard]] std::uint64_t limit_value(const Limits& limits, const LimitInfo& info) noexcept;
/// Errors: kConfigInvalid, naming key and range, and nothing is changed.
result<void> set_limit(Limits& limits, const LimitInfo& info, std::uint64_t value);

/// kLimit, with the key and its value: "limits.connections_max = 10000".
[[nodiscard]] std::unexpected<error> limit_reached(const Limits& limits, std::string_view key);

}  // namespace alknet
