// Loop: one thread's event loop. A connection and everything that belongs to it lives on one loop
// for life, so nothing in a handler needs a lock. The only members that another thread may call are
// `post` and `stop`.
//
// One turn: posted functions, due timers, ready coroutines (at most kReadyBudget), flush hooks
// (they send what the turn produced), then the poller.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/intrusive_list.hpp>
#include <alknet/rt/poller.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/rt/wait.hpp>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace alknet {

class Loop;

/// Calls `on_fire` once, on the loop, at or after the armed time. Destruction disarms.
/// `on_fire` may re-arm or destroy the timer.
class Timer {
public:
    Timer(Loop& loop, std::function<void()> on_fire) : loop_(loop), on_fire_(std::move(on_fire)) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { disarm(); }

    void arm(TimePoint when);
    void arm_after(Duration delay);
    void disarm() noexcept;
    [[nodiscard]] bool armed() const noexcept { return index_ != kUnarmed; }

private:
    friend class Loop;
    static constexpr std::size_t kUnarmed = static_cast<std::size_t>(-1);
    Loop& loop_;
    std::function<void()> on_fire_;
    TimePoint when_;
    std::uint64_t sequence_ = 0;  // equal times fire in the order in which they were armed
    std::size_t index_ = kUnarmed;
};

/// Runs once at the end of the turn in which it was requested, before the loop sleeps.
class FlushHook : public ListHook<struct FlushTag> {
public:
    virtual void flush() noexcept = 0;

protected:
    ~FlushHook() = default;
};

class Loop {
public:
    static constexpr std::size_t kReadyBudget = 4096;
    static constexpr std::size_t kNamesMax = 1024;

    /// `clock` must outlive the loop.
    Loop(const Clock& clock, std::unique_ptr<Poller> poller);
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop();

    /// A loop on the system's clock and epoll. Errors: kIo.
    static result<std::unique_ptr<Loop>> create(const Clock& clock);

    /// Runs turns until `stop`.
    void run();
    /// Ends `run` after the current turn. Thread-safe.
    void stop() noexcept;

    /// One turn. Waits for events if nothing is ready and `may_wait`.
    void turn(bool may_wait);
    /// For virtual time: everything that can happen without the clock moving or I/O.
    void run_until_idle();
    /// The earliest armed timer.
    [[nodiscard]] std::optional<TimePoint> next_deadline() const noexcept;

    /// The time of the current turn. `refresh_now` reads the clock again.
    [[nodiscard]] TimePoint now() const noexcept { return now_; }
    TimePoint refresh_now() noexcept { return now_ = clock_.now(); }
    [[nodiscard]] WallTime wall_now() const noexcept { return clock_.wall_now(); }
    [[nodiscard]] const Clock& clock() const noexcept { return clock_; }

    /// Runs `function` on the loop in a later turn. Thread-safe.
    void post(std::function<void()> function);

    void make_ready(PromiseBase& promise) noexcept { ready_.push_back(promise); }
    void request_flush(FlushHook& hook) noexcept;
    [[nodiscard]] Poller& poller() noexcept { return *poller_; }

    /// Ends at `when`. Errors: kCancelled.
    task<result<void>> sleep_until(TimePoint when);
    task<result<void>> sleep(Duration duration);
    /// Lets everything else that is ready run first.
    task<void> yield();

    /// Keeps a task name for the loop's life; at most kNamesMax, then "other".
    const char* intern(std::string_view name);

    /// For the watchdog, from any thread: turns begun and ended, and the task that runs now.
    struct Pulse {
        std::uint64_t resumes;
        bool running;
        const char* name;
    };
    [[nodiscard]] Pulse pulse() const noexcept;

private:
    friend class Timer;
    void run_inbox();
    void fire_timers();
    void run_ready();
    void run_flush();
    [[nodiscard]] bool idle() const noexcept;
    [[nodiscard]] bool earlier(const Timer& a, const Timer& b) const noexcept;
    void heap_place(std::size_t index, Timer* timer) noexcept;
    void heap_up(std::size_t index) noexcept;
    void heap_down(std::size_t index) noexcept;
    void heap_remove(std::size_t index) noexcept;

    const Clock& clock_;
    std::unique_ptr<Poller> poller_;
    TimePoint now_;
    IntrusiveList<PromiseBase, ReadyTag> ready_;
    IntrusiveList<FlushHook, FlushTag> flush_;
    std::vector<Timer*> heap_;  // 4-ary
    std::uint64_t timer_sequence_ = 0;
    std::set<std::string, std::less<>> names_;

    std::atomic<bool> stop_ = false;
    std::atomic<bool> inbox_filled_ = false;
    std::mutex inbox_mutex_;
    std::vector<std::function<void()>> inbox_;

    std::atomic<std::uint64_t> resumes_ = 0;
    std::atomic<bool> running_ = false;
    std::atomic<const char*> running_name_ = nullptr;
};

}  // namespace alknet
