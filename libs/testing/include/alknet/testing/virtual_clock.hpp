// Time that moves only when a test moves it. One thread.
#pragma once

#include <alknet/rt/time.hpp>

namespace alknet::sim {

class VirtualClock final : public Clock {
public:
    /// Starts at 1000 s on the monotonic line and on 2026-01-01T00:00:00Z on the wall.
    VirtualClock() = default;

    [[nodiscard]] TimePoint now() const noexcept override { return now_; }
    [[nodiscard]] WallTime wall_now() const noexcept override {
        return kWallOrigin + (now_ - kOrigin) + suspended_ + wall_step_;
    }
    [[nodiscard]] Duration suspended() const noexcept override { return suspended_; }

    /// Time passes. Never backwards: an earlier `when` changes nothing.
    void advance(Duration by) noexcept { advance_to(time_after(now_, by)); }
    void advance_to(TimePoint when) noexcept { now_ = when > now_ ? when : now_; }

    /// The machine sleeps: the wall clock goes on, the monotonic one does not.
    void suspend(Duration time) noexcept { suspended_ += time; }
    /// Somebody sets the wall clock, forward or back.
    void step_wall(Duration by) noexcept { wall_step_ += by; }

private:
    static constexpr TimePoint kOrigin{std::chrono::seconds(1000)};
    static constexpr WallTime kWallOrigin{std::chrono::seconds(1'767'225'600)};
    TimePoint now_ = kOrigin;
    Duration suspended_{};
    Duration wall_step_{};
};

}  // namespace alknet::sim
