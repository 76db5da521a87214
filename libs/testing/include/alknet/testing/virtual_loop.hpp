// VirtualLoop: a loop on virtual time and the driver that moves the clock from one timer to the
// next. A seeded test on it runs the same way each time, and an hour takes no time.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/testing/virtual_clock.hpp>
#include <optional>
#include <string>

namespace alknet::sim {

class VirtualLoop {
public:
    VirtualLoop();

    [[nodiscard]] Loop& loop() noexcept { return loop_; }
    [[nodiscard]] VirtualClock& clock() noexcept { return clock_; }

    /// Everything that can happen without time passing.
    void settle() { loop_.run_until_idle(); }

    /// Lets time pass, stopping at each timer on the way.
    void advance(Duration by);

    /// Moves time from timer to timer until `work` has ended. False, and `work` is destroyed where
    /// it waits, if nothing is ready and no timer is armed, or if virtual `limit` has passed.
    /// Exceptions of the task come out here.
    [[nodiscard]] bool run(task<void> work, Duration limit = std::chrono::hours(24 * 365));

    /// What is left on the loop, as a sentence; empty if nothing is.
    [[nodiscard]] std::string leftovers() const;

private:
    VirtualClock clock_;
    Loop loop_;
};

}  // namespace alknet::sim
