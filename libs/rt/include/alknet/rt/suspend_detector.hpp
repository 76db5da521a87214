// SuspendDetector: tells that the machine has slept or that somebody has set the clock. Timers run
// on monotonic time, which stands still while the machine sleeps: after it, connections are dead
// that look alive, and whatever depends on the wall clock has to be looked at again.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <memory>

namespace alknet {

struct TimeJump {
    Duration suspended{};  // how long the machine slept; 0: it did not
    Duration wall_step{};  // by how much the wall clock was set; 0: it was not
    bool operator==(const TimeJump&) const = default;
};

struct SuspendDetectorOptions {
    Duration look_every = std::chrono::seconds(2);
    Duration shortest_suspend = std::chrono::milliseconds(500);
    Duration smallest_step = std::chrono::seconds(1);  // in either direction
};

class SuspendDetector final {
public:
    /// Looks at the loop's clock from time to time.
    explicit SuspendDetector(Loop& loop, SuspendDetectorOptions options = {});
    /// Is told by the system, and does not wake up to look. Of a loop on the system's clock.
    /// Errors: kIo.
    static result<std::unique_ptr<SuspendDetector>> told(Loop& loop,
                                                         SuspendDetectorOptions options = {});

    /// The next jump, told at once or within `look_every` of running time. What happened while
    /// nobody awaited is told at the next await, added up. Errors: kCancelled.
    task<result<TimeJump>> next();

private:
    TimeJump look();
    result<void> listen();
    task<result<void>> wait();

    Loop& loop_;
    SuspendDetectorOptions options_;
    Duration suspended_;  // when last looked
    Duration wall_offset_;
    UniqueFd jumps_;  // none: it looks
    FdReadiness readiness_;
};

}  // namespace alknet
