// Heartbeats: while something is under way on a stream, each end hears of the other.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/connection.hpp>

#include "peer.hpp"

namespace alknet::call {

namespace {

// After a pause of this process what came meanwhile has not been read yet.
constexpr Duration kDoubt = std::chrono::seconds(5);

}  // namespace

bool CallPeer::under_way(const CallStream& stream) const noexcept {
    return stream.running > 0 || pending_.any_on(stream.number);
}

void CallPeer::begin_on(CallStream& stream) {
    if (!under_way(stream)) {
        stream.hear();  // until now nobody had to say anything
    }
    if (!pulse_.armed()) {
        pulse_.arm_after(options_.limits.heartbeat);
    }
}

void CallPeer::look_after_streams() {
    TimePoint next = TimePoint::max();
    bool gone = false;
    for (const auto& [number, stream] : streams_) {
        if (under_way(*stream)) {
            next = std::min({next, beat(stream), doubt(*stream)});
            gone = gone || stream->fault;
        }
    }
    if (gone) {
        connection_->close(close_code::kTimeout, causes::kIdleTimeout.what);
    } else if (next != TimePoint::max()) {
        pulse_.arm(next);
    }
}

// Says something if it is time to; gives when it will be again.
TimePoint CallPeer::beat(const StreamPtr& stream) {
    const Duration period = options_.limits.heartbeat;
    const TimePoint now = loop_.now();
    if (stream->turn.taken()) {
        return now + period;  // the other end is slow, or what it gets is long
    }
    if (now - stream->sent >= period) {
        stream->sent = now;
        scope_.spawn(send_beat(stream), "call.heartbeat");
    }
    return stream->sent + period;
}

// Where it cannot be sent nobody takes answers any more.
task<void> CallPeer::send_beat(StreamPtr stream) {
    if (!co_await tell(stream, {}, Heartbeat{})) {
        stream->cancel.request();
    }
}

// Whether the other end has gone; gives when to look again.
TimePoint CallPeer::doubt(CallStream& stream) {
    const TimePoint now = loop_.now();
    if (!stream.beats) {
        return TimePoint::max();
    }
    if (!stream.listening) {
        stream.hear();  // it is this end that does not read
    }
    const TimePoint end = stream.heard + options_.limits.silence_max;
    if (now < end) {
        return end;
    }
    if (!stream.doubted) {
        stream.doubted = now;
    } else if (now - *stream.doubted >= kDoubt) {
        stream.fault = error(causes::kIdleTimeout, "the other end has gone without a word");
    }
    return *stream.doubted + kDoubt;
}

}  // namespace alknet::call
