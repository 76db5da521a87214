#include <sys/timerfd.h>
#include <unistd.h>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/suspend_detector.hpp>
#include <cerrno>
#include <cstdint>
#include <limits>

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
      wall_offset_(wall_offset(loop.clock())),
      readiness_(loop) {}

result<std::unique_ptr<SuspendDetector>> SuspendDetector::told(Loop& loop,
                                                               SuspendDetectorOptions options) {
    auto detector = std::make_unique<SuspendDetector>(loop, options);
    detector->jumps_.reset(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!detector->jumps_) {
        return os_fail("timerfd_create", errno);
    }
    ALKNET_CHECK(detector->listen());
    ALKNET_CHECK(detector->readiness_.watch(detector->jumps_.get()));
    return detector;
}

/// A timer for the end of time, which ends when wall and monotonic time drift apart: somebody has
/// set the clock, or the machine has slept.
result<void> SuspendDetector::listen() {
    itimerspec never{};
    never.it_value.tv_sec = std::numeric_limits<std::int32_t>::max();
    constexpr int kFlags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
    if (timerfd_settime(jumps_.get(), kFlags, &never, nullptr) != 0 && errno != ECANCELED) {
        return os_fail("timerfd_settime", errno);
    }
    return {};
}

task<result<void>> SuspendDetector::wait() {
    if (!jumps_) {
        co_return co_await loop_.sleep(options_.look_every);
    }
    std::uint64_t expirations = 0;
    while (read(jumps_.get(), &expirations, sizeof expirations) < 0 && errno == EAGAIN) {
        readiness_.would_block_reading();
        ALKNET_CO_CHECK(co_await readiness_.readable());
    }
    co_return listen();
}

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
        ALKNET_CO_CHECK(co_await wait());
    }
}

}  // namespace alknet
