// How much a connection carries, measured with alknet/bench (docs/protocol/doctor.md), and what it
// is that holds it back. Octets count when they have arrived.
#pragma once

#include <alknet/net/connection.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace alknet::doctor {

/// What one end knows of a flow while it lasts.
struct FlowEnd {
    std::uint64_t us = 0;         // how long it took part; 0: nothing is known of this end
    std::uint64_t cpu_us = 0;     // of the thread that served it
    std::uint64_t waited_us = 0;  // for the transport to take or give octets
    std::uint64_t packets_sent = 0;
    std::uint64_t packets_lost = 0;
    std::uint64_t udp_drops = 0;  // received by its machine, and thrown away for want of room
    std::uint32_t rtt_us = 0;     // at the end; 0: not known

    bool operator==(const FlowEnd&) const = default;
};

/// One direction.
struct Flow {
    std::uint64_t bytes = 0;  // that arrived
    std::uint64_t us = 0;     // from the first to the last of them
    bool complete = false;    // both ends have told
    FlowEnd sender;
    FlowEnd receiver;

    [[nodiscard]] double bytes_per_second() const noexcept {
        return us == 0 ? 0 : static_cast<double>(bytes) * 1e6 / static_cast<double>(us);
    }
    bool operator==(const Flow&) const = default;
};

struct BenchResult {
    std::uint32_t rtt_us = 0;  // before anything else was under way
    std::optional<Flow> up;    // from here to there
    std::optional<Flow> down;
};

struct BenchOptions {
    static constexpr Duration kTimeMax = std::chrono::seconds(120);
    /// In each direction; then it ends early.
    static constexpr std::uint64_t kBytesMax = 30ULL << 30;
    /// After the time is up: for what is under way, and for answers.
    static constexpr Duration kPatience = std::chrono::seconds(15);

    bool up = true;  // with `down` at the same time
    bool down = true;
    Duration time = std::chrono::seconds(10);  // at most kTimeMax
    Duration progress_interval = std::chrono::seconds(1);
    std::function<void(const BenchResult&)> progress;  // so far; may be empty
    /// As in DoctorHandlerOptions.
    std::function<std::uint64_t()> processor_time;
    std::function<std::uint64_t()> udp_drops;
};

/// Measures into `into`, which has what was measured so far whenever this ends. Errors: kTimeout
/// when the other end does not answer any more, kProtocol, those of the connection, kCancelled.
task<result<void>> bench(Loop& loop, std::shared_ptr<Connection> connection, BenchOptions options,
                         BenchResult& into);

enum class LimitedBy : std::uint8_t {
    unknown,      // too little was measured
    this_cpu,     // one processor of this machine
    that_cpu,     // of the other
    this_buffer,  // UDP packets are lost in this machine: its receive buffer is too small
    that_buffer,
    this_program,  // takes or gives octets more slowly than the transport could
    that_program,
    policing,           // somebody holds UDP back
    loss,               // of packets on the way
    flow_control,       // the windows of the two ends, for such long round trips
    congestion_window,  // had no time to grow
    full_path,          // it passes no more: packets queue in front of it
    path,               // it passes no more
};
inline constexpr std::uint8_t kLimits = 13;
[[nodiscard]] std::string_view to_string(LimitedBy limit) noexcept;

struct FlowFacts {
    Flow flow;
    bool up = true;
    bool quic = true;
    std::uint32_t idle_rtt_us = 0;
    std::uint64_t window_bytes = 0;  // may be under way at most; 0: not known
    double other_rate = 0;           // of TCP on the same path, in octets a second; 0: not known
};

struct Limiting {
    LimitedBy by = LimitedBy::unknown;
    std::string what;  // in words, with what was found
    std::string next;  // what to do about it; empty if there is nothing
};

/// Pure.
[[nodiscard]] Limiting limit_of(const FlowFacts& facts);

}  // namespace alknet::doctor
