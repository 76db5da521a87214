// ResumableClient: the dialling end of resumable streams (docs/protocol/resumable.md). It sees when
// a connection is lost, dials again and goes on; who uses the stream sees at most a pause. From
// TCP or a proxy it moves to a better way as soon as there is one (ClimbSchedule), and from QUIC
// that carries much less than TCP to TCP; no octet is lost by it.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/resume/frames.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace alknet::resume {

/// Gives a connection on kResumeAlpn to the same node, each time a new one, over any transport, or
/// only by a rung above `better_than`, and from the same key. It is cancelled when it takes longer
/// than `attempt_timeout`.
using Reconnect = std::function<task<result<Dialled>>(std::optional<Rung> better_than)>;

/// A stream goes on after a loss, or on a better way than before.
struct Resumption {
    Duration gap{};      // since the loss was seen
    bool moved = false;  // nothing was lost
    Transport transport = Transport::memory;
    std::size_t attempts = 0;
};

struct ResumeClientOptions {
    std::size_t ring_bytes = 1 << 20;  // held in each direction at most
    /// For how long a lost stream is worth coming back to; the node may grant another time.
    Duration linger = std::chrono::hours(24);
    /// How a silent death of the connection is noticed, of which nobody tells: after so long
    /// without a word, or so long with something unacknowledged, the node is asked; after
    /// `answer_timeout` it is lost. QUIC keeps its path open by itself, and finds it again at
    /// another address.
    Duration keep_alive = std::chrono::seconds(45);
    Duration keep_alive_quic = std::chrono::seconds(150);
    Duration unanswered = std::chrono::seconds(5);
    Duration answer_timeout = std::chrono::seconds(10);
    Duration probe_timeout = std::chrono::seconds(2);  // the same after `probe` or a sleep
    Duration attempt_timeout = std::chrono::seconds(20);
    Duration retry_first = std::chrono::milliseconds(100);  // then twice as long each time …
    Duration retry_max = std::chrono::seconds(10);          // … up to this, less up to half of it
    /// How long a better way has to take the stream over; then it is as if it had been lost there.
    Duration move_timeout = std::chrono::seconds(5);
    /// The loop runs on the system's clock, so that the system tells when the machine has slept;
    /// otherwise the clock is looked at every two seconds.
    bool system_clock = false;
    /// Whether QUIC may reach the node, asked for little (Dialer::knock) while attempts to climb
    /// are far apart: the next one is made at once if so. Null: nobody can say.
    std::function<task<result<bool>>()> knock{};
    std::function<void(const Resumption&)> on_resumed;
    /// An attempt to come back has failed, and another one follows.
    std::function<void(const error&)> on_failed_attempt{};
    /// How fast a way was while it was busy. Null: nobody wants to know.
    std::function<void(const Dialled&, std::uint64_t bytes, Duration)> report;
    /// Asked after a report: whether the stream should rather go another way.
    std::function<bool(const Dialled&)> demoted;
};

class ResumableClient {
public:
    /// `loop` outlives it.
    static std::unique_ptr<ResumableClient> create(Loop& loop, Reconnect reconnect,
                                                   ResumeClientOptions options = {});
    /// `shutdown` must have ended.
    virtual ~ResumableClient() = default;

    /// Opens a stream of the service `alpn`; open_bi gives it once, and the connection ends when
    /// both of its directions have been delivered. A loss that is not mended in time ends it with
    /// kResumeLost. Opening itself is tried once. Errors: those of the reconnect, and of the node's
    /// refusal (kNoHandler, kAuthRequired, kForbidden, kLimit …); kTimeout, kAlpnInvalid.
    virtual task<result<std::shared_ptr<Connection>>> open(std::string alpn) = 0;

    /// The network may have changed: connections are asked whether they live, those who wait for
    /// their next attempt make it now, those who are making one begin again, and those on a lower
    /// rung try the upper ones.
    virtual void probe() noexcept = 0;
    /// Streams that were opened and have not come to their end.
    [[nodiscard]] virtual std::size_t streams() const noexcept = 0;

    /// Gives streams whose users have let them go this long to be delivered, then ends them all.
    virtual task<void> shutdown(Duration grace) = 0;
};

}  // namespace alknet::resume
