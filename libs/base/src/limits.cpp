#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/limits.hpp>
#include <array>
#include <string>

namespace alknet {

namespace {

using std::chrono::milliseconds;
using enum LimitUnit;

constexpr std::uint64_t kMillion = 1'000'000;
constexpr std::uint64_t kGiB = 1U << 30;
constexpr std::uint64_t kHourMs = 3'600'000;

constexpr std::array kTable = {
    LimitInfo{"connections_max", "connections in all", count, &Limits::connections_max, 1,
              kMillion},
    LimitInfo{"connections_per_ip_max", "connections of one IPv4 address or one IPv6 /56", count,
              &Limits::connections_per_ip_max, 1, kMillion},
    LimitInfo{"connections_per_identity_max", "connections of one identity", count,
              &Limits::connections_per_identity_max, 1, kMillion},
    LimitInfo{"half_open_max", "handshakes under way", count, &Limits::half_open_max, 1, kMillion},
    LimitInfo{"half_open_retry_threshold",
              "handshakes under way above which QUIC clients must prove their address first", count,
              &Limits::half_open_retry_threshold, 0, kMillion},
    LimitInfo{"handshake_timeout", "time for a handshake", duration, &Limits::handshake_timeout,
              100, kHourMs},
    LimitInfo{"idle_timeout", "time without a packet until a connection is given up", duration,
              &Limits::idle_timeout, 1000, 24 * kHourMs},
    LimitInfo{"streams_bidi_max", "bidirectional streams of one connection", count,
              &Limits::streams_bidi_max, 1, 65'536},
    LimitInfo{"streams_uni_max", "unidirectional streams of one connection", count,
              &Limits::streams_uni_max, 0, 65'536},
    LimitInfo{"connection_bytes_max", "memory for the buffers of one connection", octets,
              &Limits::connection_bytes_max, 16'384, kGiB},
    LimitInfo{"stream_bytes_max", "memory for the buffers of one stream", octets,
              &Limits::stream_bytes_max, 4096, kGiB},
    LimitInfo{"datagrams_queued_max", "datagrams that wait for a handler", count,
              &Limits::datagrams_queued_max, 1, 65'536},
    LimitInfo{"unauthenticated_streams_max", "streams of a connection without a known identity",
              count, &Limits::unauthenticated_streams_max, 1, 65'536},
    LimitInfo{"unauthenticated_connection_bytes_max",
              "memory for a connection without a known identity", octets,
              &Limits::unauthenticated_connection_bytes_max, 16'384, kGiB},
    LimitInfo{"unauthenticated_stream_bytes_max",
              "memory for a stream of a connection without a known identity", octets,
              &Limits::unauthenticated_stream_bytes_max, 4096, kGiB},
    LimitInfo{"shutdown_grace", "time that handlers get to finish when the node stops", duration,
              &Limits::shutdown_grace, 0, kHourMs},
    LimitInfo{"blocking_threads", "threads for what blocks: names to resolve, files", count,
              &Limits::blocking_threads, 1, 256},
    LimitInfo{"blocking_queue_max", "jobs that wait for such a thread", count,
              &Limits::blocking_queue_max, 1, kMillion},
};

}  // namespace

std::span<const LimitInfo> all_limits() noexcept {
    return kTable;
}

const LimitInfo* find_limit(std::string_view key) noexcept {
    const auto found = std::ranges::find(kTable, key, &LimitInfo::key);
    return found == kTable.end() ? nullptr : &*found;
}

std::uint64_t limit_value(const Limits& limits, const LimitInfo& info) noexcept {
    if (const auto* number = std::get_if<std::uint64_t Limits::*>(&info.member)) {
        return limits.**number;
    }
    const auto time = limits.**std::get_if<std::chrono::nanoseconds Limits::*>(&info.member);
    return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(time).count());
}

result<void> set_limit(Limits& limits, const LimitInfo& info, std::uint64_t value) {
    if (value < info.lowest || value > info.highest) {
        const std::string_view unit = info.unit == duration ? " ms" : "";
        return fail(causes::kConfigInvalid, "limits." + std::string(info.key) + " = " +
                                                std::to_string(value) + ": must be from " +
                                                std::to_string(info.lowest) + " to " +
                                                std::to_string(info.highest) + std::string(unit));
    }
    if (const auto* number = std::get_if<std::uint64_t Limits::*>(&info.member)) {
        limits.** number = value;
    } else {
        limits.*std::get<std::chrono::nanoseconds Limits::*>(info.member) = milliseconds(value);
    }
    return {};
}

std::unexpected<error> limit_reached(const Limits& limits, std::string_view key) {
    const LimitInfo* info = find_limit(key);
    ALKNET_ASSERT(info != nullptr);
    const std::string_view unit = info->unit == duration ? " ms" : "";
    return fail(causes::kLimit, "limits." + std::string(key) + " = " +
                                    std::to_string(limit_value(limits, *info)) + std::string(unit));
}

}  // namespace alknet
