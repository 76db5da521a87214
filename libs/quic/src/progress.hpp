// Progress: whether the peer acknowledges what is sent. ngtcp2 repairs what gets lost, but two
// things are beyond it. A path that has become narrower swallows every large packet, each
// repetition included: a black hole (RFC 8899 section 4.3). And what is in flight may be watched by
// no timer: after a change of path its server cancels the probe timeout when it may not send, and
// does not arm it again when it may (ngtcp2 1.11); with the congestion window full it then waits
// for ever. Sans-I/O.
#pragma once

#include <algorithm>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <cstdint>

namespace alknet::quic {

class Progress {
public:
    /// What every path must carry (RFC 9000 section 14).
    static constexpr std::size_t kNarrow = 1200;
    /// So many probe timeouts without an acknowledgement mean a black hole.
    static constexpr int kBlackHoleTimeouts = 3;
    /// Then larger packets are tried again (RFC 8899 section 5.1.1).
    static constexpr Duration kNarrowFor = std::chrono::minutes(10);

    /// To be told after packets were read and after they were written.
    void observe(std::uint64_t in_flight, TimePoint now) noexcept {
        if (in_flight < in_flight_ || in_flight_ == 0) {
            since_ = now;
        }
        in_flight_ = in_flight;
    }

    /// Octets that wait for an acknowledgement.
    [[nodiscard]] std::uint64_t in_flight() const noexcept { return in_flight_; }

    /// The largest packet to send now, where the path is believed to carry `most`.
    std::size_t packet_max(std::size_t most, Duration probe_timeout, TimePoint now) noexcept {
        if (in_flight_ > 0 && now - since_ > kBlackHoleTimeouts * probe_timeout) {
            narrow(now);
        }
        return limit(most, now);
    }
    /// The path is known to carry no more than the smallest packets.
    void narrow(TimePoint now) noexcept { narrow_until_ = time_after(now, kNarrowFor); }
    /// The same without looking for a black hole.
    [[nodiscard]] std::size_t limit(std::size_t most, TimePoint now) const noexcept {
        return now < narrow_until_ ? std::min(most, kNarrow) : most;
    }
    /// Another path: nothing is known about it.
    void forget_path() noexcept { narrow_until_ = {}; }

    /// When to give up on a peer that acknowledges nothing for `limit`; zero: never.
    [[nodiscard]] TimePoint deadline(Duration limit) const noexcept {
        return in_flight_ == 0 || limit <= Duration::zero() ? TimePoint::max()
                                                            : time_after(since_, limit);
    }

private:
    std::uint64_t in_flight_ = 0;
    TimePoint since_;  // the last acknowledgement, or when something was first in flight
    TimePoint narrow_until_;
};

}  // namespace alknet::quic
