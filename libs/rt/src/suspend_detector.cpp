#include <alknet/rt/suspend_detector.hpp>

namespace alknet {

namespace {

/// Constant unless somebody sets the wall clock.
Duration wall_offset(const Clock& clock) noexcept {
    return clock.wall_now().time_since_epoch() - clock.now().time_since_epoch() - clock.suspended();
}

}  // namespace

SuspendDetector::SuspendDetector(Loop& loop, SuspendDetectorOptions options)
    : loop_(loop),
      options_(options),
      suspended_(loop.clock().suspended()),
      wall_offset_(wall_offset(loop.clock())) {}

TimeJump SuspendDetector::look() {
    const Duration suspended = loop_.clock().suspended();
    const Duration offset = wall_offset(loop_.clock());
    TimeJump jump;
    if (suspended - suspended_ >= options_.shortest_suspend) {
        jump.suspended = suspended - suspended_;
    }
    if (std::chrono::abs(offset - wall_offset_) >= options_.smallest_step) {
        jump.wall_step = offset - wall_offset_;
    }
    // Also without a jump: what creeps, as a clock that is being disciplined does, is none.
    suspended_ = suspended;
    wall_offset_ = offset;
    return jump;
}

task<result<TimeJump>> SuspendDetector::next() {
    for (;;) {
        const TimeJump jump = look();
        if (jump != TimeJump{}) {
            co_return jump;
        }
        ALKNET_CO_CHECK(co_await loop_.sleep(options_.look_every));
    }
}

}  // namespace alknet
