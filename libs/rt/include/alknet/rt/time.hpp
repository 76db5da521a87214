// Time as the runtime sees it. Both clocks are injectable, so that a whole node runs on virtual
// time. TimePoint is monotonic and starts at an arbitrary origin; WallTime is UTC.
#pragma once

#include <chrono>

namespace alknet {

using Duration = std::chrono::nanoseconds;

struct MonotonicTimeline {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonotonicTimeline>;
    static constexpr bool is_steady = true;
};

using TimePoint = MonotonicTimeline::time_point;
using WallTime = std::chrono::sys_time<Duration>;

/// `start + delay`, or the last representable time where that would overflow: a delay of
/// Duration::max() means "never".
[[nodiscard]] constexpr TimePoint time_after(TimePoint start, Duration delay) noexcept {
    return delay > TimePoint::max() - start ? TimePoint::max() : start + delay;
}

class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual TimePoint now() const noexcept = 0;
    [[nodiscard]] virtual WallTime wall_now() const noexcept = 0;
    /// How long the machine has been suspended since some fixed moment: what `now` did not count.
    [[nodiscard]] virtual Duration suspended() const noexcept = 0;
};

/// CLOCK_MONOTONIC, CLOCK_REALTIME and CLOCK_BOOTTIME.
class SystemClock final : public Clock {
public:
    [[nodiscard]] TimePoint now() const noexcept override;
    [[nodiscard]] WallTime wall_now() const noexcept override;
    [[nodiscard]] Duration suspended() const noexcept override;
};

}  // namespace alknet
