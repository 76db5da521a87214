// WatchPost: who looks after a loop at a time. While the watchdog's thread is on guard, it looks by
// itself in short intervals. When the loop rests, the thread leaves, and an alarm of the kernel
// stands in for it: the loop sets it when it goes on and takes it back when it rests again, so that
// nobody wakes up for a loop that does little.
#pragma once

#include <alknet/rt/loop.hpp>
#include <alknet/rt/time.hpp>
#include <atomic>
#include <cstddef>
#include <memory>

namespace alknet {

class Alarm {
public:
    virtual ~Alarm() = default;
    /// Wakes the watchdog once after this time, in place of what was set before; zero: never.
    virtual void set(Duration after) noexcept = 0;
};

class WatchPost final : public RestObserver {
public:
    /// Alarms taken back within four intervals. A loop that wakes more often is busy: the alarm
    /// then stays and brings the thread, which costs less than two system calls for each wake-up.
    static constexpr std::size_t kTakenBackMax = 8;

    /// `clock` outlives this.
    WatchPost(const Clock& clock, std::unique_ptr<Alarm> alarm, Duration interval) noexcept
        : clock_(clock), alarm_(std::move(alarm)), interval_(interval) {}

    // ---- on the loop's thread ----
    void on_wake() noexcept override;
    void on_rest() noexcept override;

    // ---- on the watchdog's ----
    /// The thread is on guard from now on.
    void enter() noexcept { guarded_.store(true); }
    /// True if the loop rests, and the thread may sleep until the alarm wakes it.
    bool leave() noexcept;

    /// From any thread: the watchdog sleeps.
    [[nodiscard]] bool unguarded() const noexcept { return !guarded_.load(); }

private:
    [[nodiscard]] bool may_take_back() noexcept;

    const Clock& clock_;
    const std::unique_ptr<Alarm> alarm_;
    const Duration interval_;
    // Each side writes its own first and then reads the other's, in one order that both agree on:
    // either the loop sees that nobody is on guard, or the thread sees that the loop has woken.
    std::atomic<bool> guarded_ = true;
    std::atomic<bool> awake_ = false;
    std::atomic<bool> set_ = false;  // the alarm is
    std::size_t taken_back_ = 0;
    TimePoint counted_since_;
};

}  // namespace alknet
