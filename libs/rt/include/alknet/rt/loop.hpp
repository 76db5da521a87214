// Loop: one thread's event loop. A connection and everything that belongs to it lives on one loop
// for life, so nothing in a handler needs a lock. The only members that another thread may call are
// `post`, `stop` and `pulse`. The loop outlives everything that uses it; timers may outlive it, if
// all that is done to them then is to destroy them.
//
// One turn: posted functions, due timers, ready coroutines (at most kReadyBudget), flush hooks
// (they send what the turn produced), then the poller. Exceptions of posted functions and timers
// come out of the turn; the loop stays usable.
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
    ~Timer();

    void arm(TimePoint when);
    void arm_after(Duration delay);
    void disarm() noexcept;
    /// False while it fires.
    [[nodiscard]] bool armed() const noexcept { return index_ != kUnarmed; }

private:
    friend class Loop;
    static constexpr std::size_t kUnarmed = static_cast<std::size_t>(-1);
    Loop& loop_;
    std::function<void()> on_fire_;
    TimePoint when_;
    std::uint64_t sequence_ = 0;  // equal times fire in the order in which they were armed
    std::size_t index_ = kUnarmed;
    bool firing_ = false;
};

/// Runs once at the end of the turn in which it was requested, before the loop sleeps.
class FlushHook : public ListHook<struct FlushTag> {
public:
    virtual void flush() noexcept = 0;

protected:
    ~FlushHook() = default;
};

/// The entry of a spawned task in its loop's list, for those who look at it from outside.
class TaskRecord : public ListHook<struct TaskRecordTag> {
public:
    const char* name = nullptr;  // interned by the loop
};

/// Told when a loop blocks because it has nothing to do, and when it goes on. Called on the loop's
/// thread, between its steps.
class RestObserver {
public:
    virtual ~RestObserver() = default;
    virtual void on_rest() noexcept = 0;
    virtual void on_wake() noexcept = 0;
};

class Loop {
public:
    static constexpr std::size_t kReadyBudget = 4096;
    /// Children that may end without suspending before whoever awaits them is put off to the next
    /// turn: a coroutine whose awaits never wait cannot keep the loop from the others.
    static constexpr std::size_t kInlineBudget = 1024;
    static constexpr std::size_t kNamesMax = 1024;
    /// Those who post bound themselves (a pool by its queue); to get here is a bug.
    static constexpr std::size_t kInboxMax = 65536;

    /// `clock` must outlive the loop.
    Loop(const Clock& clock, std::unique_ptr<Poller> poller);
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop();

    /// A loop on the system's clock and epoll. Errors: kIo.
    static result<std::unique_ptr<Loop>> create(const Clock& clock);

    /// Runs turns until `stop`.
    void run();
    /// Ends `run` after the current turn, or the next `run` after one turn. Thread-safe.
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

    /// Runs `function` on the loop in a later turn; if the loop dies first, destroys it there.
    /// Thread-safe.
    void post(std::function<void()> function);

    /// Puts a suspended coroutine, which must not be there, at the end of the ready queue.
    void make_ready(PromiseBase& promise) noexcept;
    /// The same at its front: what awaited a task that has ended.
    void make_next(PromiseBase& promise) noexcept;
    /// See PromiseBase::gives_way.
    [[nodiscard]] bool gives_way(PromiseBase& promise) noexcept;
    void request_flush(FlushHook& hook) noexcept;
    [[nodiscard]] Poller& poller() noexcept { return *poller_; }

    /// Ends at `when`. Errors: kCancelled.
    task<result<void>> sleep_until(TimePoint when);
    task<result<void>> sleep(Duration duration);
    /// Lets everything else that is ready run first.
    task<void> yield();

    /// Keeps a task name for the loop's life; at most kNamesMax, then "other".
    const char* intern(std::string_view name);

    void adopt(TaskRecord& record) noexcept { tasks_.push_back(record); }
    /// The names of all spawned tasks that have not ended, oldest first.
    [[nodiscard]] std::vector<std::string_view> task_names() const;
    [[nodiscard]] std::size_t armed_timers() const noexcept { return heap_.size(); }

    /// For the watchdog, from any thread. `name` is of the task, or the kind of work in brackets,
    /// that runs now or ran last; it lives as long as the loop.
    struct Pulse {
        std::uint64_t steps = 0;  // grows by one with each piece of work
        bool running = false;
        const char* name = nullptr;
    };
    [[nodiscard]] Pulse pulse() const noexcept;
    /// At most one; the next one takes its place. On the loop's thread.
    void set_rest_observer(std::shared_ptr<RestObserver> observer) noexcept;

private:
    friend class Timer;
    class Step;
    void run_all();
    void wait_for_events(std::optional<Duration> timeout);
    void run_inbox();
    void fire_timers();
    void fire(Timer& timer);
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
    IntrusiveList<PromiseBase, ReadyTag> deferred_;  // ready in the next turn
    IntrusiveList<FlushHook, FlushTag> flush_;
    IntrusiveList<TaskRecord, TaskRecordTag> tasks_;
    std::vector<Timer*> heap_;  // 4-ary
    Timer* firing_ = nullptr;
    bool in_turn_ = false;
    std::uint64_t timer_sequence_ = 0;
    std::set<std::string, std::less<>> names_;
    std::shared_ptr<RestObserver> rest_observer_;

    std::atomic<bool> stop_ = false;
    std::atomic<bool> inbox_filled_ = false;
    std::mutex inbox_mutex_;
    std::vector<std::function<void()>> inbox_;

    std::size_t inline_ends_ = 0;  // in this step
    std::atomic<std::uint64_t> steps_ = 0;
    std::atomic<bool> running_ = false;
    std::atomic<const char*> running_name_ = nullptr;
};

}  // namespace alknet
