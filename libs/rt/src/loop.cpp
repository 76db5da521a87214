#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/rt/loop.hpp>
#include <ctime>
#include <iterator>

namespace alknet {

void PromiseBase::finish() noexcept {
    done = true;
    if (continuation != nullptr) {
        context.loop->make_next(*continuation);
    }
}

bool PromiseBase::gives_way() noexcept {
    return context.loop->gives_way(*this);
}

namespace {

Duration read_clock(clockid_t id) noexcept {
    timespec ts{};
    clock_gettime(id, &ts);
    return std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec);
}

}  // namespace

TimePoint SystemClock::now() const noexcept {
    return TimePoint(read_clock(CLOCK_MONOTONIC));
}
WallTime SystemClock::wall_now() const noexcept {
    return WallTime(read_clock(CLOCK_REALTIME));
}

Duration SystemClock::suspended() const noexcept {
    const Duration running = read_clock(CLOCK_MONOTONIC);  // first: the difference is not negative
    return read_clock(CLOCK_BOOTTIME) - running;
}

/// A piece of work between two looks at the queues, told to the watchdog. One thread writes.
class Loop::Step {
public:
    Step(Loop& loop, const char* name) noexcept : loop_(loop) {
        loop_.running_name_.store(name, std::memory_order_release);
        loop_.steps_.store(loop_.steps_.load(std::memory_order_relaxed) + 1,
                           std::memory_order_release);
        loop_.running_.store(true, std::memory_order_release);
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    ~Step() { loop_.running_.store(false, std::memory_order_release); }

private:
    Loop& loop_;
};

namespace {

/// True for as long as it lives; finds out who runs a loop from within itself.
class TurnGuard {
public:
    explicit TurnGuard(bool& in_turn) : in_turn_(in_turn) {
        ALKNET_ASSERT(!in_turn_);
        in_turn_ = true;
    }
    TurnGuard(const TurnGuard&) = delete;
    TurnGuard& operator=(const TurnGuard&) = delete;
    ~TurnGuard() { in_turn_ = false; }

private:
    bool& in_turn_;
};

}  // namespace

Loop::Loop(const Clock& clock, std::unique_ptr<Poller> poller)
    : clock_(clock), poller_(std::move(poller)), now_(clock.now()) {}

Loop::~Loop() {
    inbox_.clear();
    for (Timer* timer : heap_) {
        timer->index_ = Timer::kUnarmed;
    }
}

result<std::unique_ptr<Loop>> Loop::create(const Clock& clock) {
    ALKNET_TRY(auto poller, make_epoll_poller());
    return std::make_unique<Loop>(clock, std::move(poller));
}

void Loop::run() {
    while (!stop_.load(std::memory_order_acquire)) {
        turn(true);
    }
    stop_.store(false, std::memory_order_release);
}

void Loop::stop() noexcept {
    stop_.store(true, std::memory_order_release);
    poller_->wake();
}

void Loop::turn(bool may_wait) {
    const TurnGuard guard(in_turn_);
    refresh_now();
    run_all();
    std::optional<Duration> timeout;
    if (!may_wait || !idle() || stop_.load(std::memory_order_acquire)) {
        timeout = Duration::zero();
    } else if (const auto deadline = next_deadline()) {
        timeout = std::max(Duration::zero(), *deadline - clock_.now());
    }
    wait_for_events(timeout);
    const Step step(*this, "(events)");
    poller_->dispatch();
}

void Loop::wait_for_events(std::optional<Duration> timeout) {
    if (rest_observer_ == nullptr || timeout == Duration::zero()) {
        poller_->wait(timeout);
        return;
    }
    rest_observer_->on_rest();
    poller_->wait(timeout);
    rest_observer_->on_wake();
}

void Loop::set_rest_observer(std::shared_ptr<RestObserver> observer) noexcept {
    rest_observer_ = std::move(observer);
    rest_observer_->on_wake();
}

void Loop::run_until_idle() {
    const TurnGuard guard(in_turn_);
    refresh_now();
    do {
        run_all();
    } while (!idle() || (!heap_.empty() && heap_.front()->when_ <= now_));
}

void Loop::run_all() {
    run_inbox();
    fire_timers();
    run_ready();
    run_flush();
}

bool Loop::gives_way(PromiseBase& promise) noexcept {
    if (++inline_ends_ < kInlineBudget) {
        return false;
    }
    deferred_.push_back(promise);
    return true;
}

bool Loop::idle() const noexcept {
    return ready_.empty() && flush_.empty() && !inbox_filled_.load(std::memory_order_acquire);
}

void Loop::post(std::function<void()> function) {
    {
        const std::lock_guard lock(inbox_mutex_);
        ALKNET_ASSERT(inbox_.size() < kInboxMax);
        inbox_.push_back(std::move(function));
        inbox_filled_.store(true, std::memory_order_release);
    }
    poller_->wake();
}

void Loop::run_inbox() {
    if (!inbox_filled_.load(std::memory_order_acquire)) {
        return;
    }
    std::vector<std::function<void()>> posted;
    {
        const std::lock_guard lock(inbox_mutex_);
        posted.swap(inbox_);
        inbox_filled_.store(false, std::memory_order_release);
    }
    std::size_t next = 0;
    try {
        while (next < posted.size()) {
            const Step step(*this, "(posted)");
            posted[next++]();
        }
    } catch (...) {
        const std::lock_guard lock(inbox_mutex_);
        const auto rest = posted.begin() + static_cast<std::ptrdiff_t>(next);
        inbox_.insert(inbox_.begin(), std::make_move_iterator(rest),
                      std::make_move_iterator(posted.end()));
        inbox_filled_.store(!inbox_.empty(), std::memory_order_release);
        throw;
    }
}

void Loop::make_ready(PromiseBase& promise) noexcept {
    ALKNET_ASSERT(!promise.linked());  // noexcept: a broken queue ends the program here
    ready_.push_back(promise);
}

void Loop::make_next(PromiseBase& promise) noexcept {
    ALKNET_ASSERT(!promise.linked());
    ready_.push_front(promise);
}

void Loop::run_ready() {
    for (std::size_t count = 0; count < kReadyBudget; ++count) {
        PromiseBase* promise = ready_.pop_front();
        if (promise == nullptr) {
            break;
        }
        const Step step(*this, promise->context.name);
        inline_ends_ = 0;
        promise->handle().resume();
    }
    ready_.splice_back(deferred_);
}

Loop::Pulse Loop::pulse() const noexcept {
    Pulse pulse;
    pulse.steps = steps_.load(std::memory_order_acquire);
    pulse.running = running_.load(std::memory_order_acquire);
    pulse.name = running_name_.load(std::memory_order_acquire);
    return pulse;
}

std::vector<std::string_view> Loop::task_names() const {
    std::vector<std::string_view> names;
    tasks_.for_each([&names](const TaskRecord& record) { names.emplace_back(record.name); });
    return names;
}

void Loop::request_flush(FlushHook& hook) noexcept {
    if (!hook.linked()) {
        flush_.push_back(hook);
    }
}

void Loop::run_flush() {
    IntrusiveList<FlushHook, FlushTag> due;
    due.splice_back(flush_);
    while (FlushHook* hook = due.pop_front()) {
        const Step step(*this, "(flush)");
        hook->flush();
    }
}

const char* Loop::intern(std::string_view name) {
    const auto known = names_.find(name);
    if (known != names_.end()) {
        return known->c_str();
    }
    return names_.size() >= kNamesMax ? "other" : names_.emplace(name).first->c_str();
}

// ---- timers ----

void Timer::arm(TimePoint when) {
    const bool was_armed = armed();
    when_ = when;
    sequence_ = ++loop_.timer_sequence_;
    if (was_armed) {
        loop_.heap_up(index_);
        loop_.heap_down(index_);
    } else {
        loop_.heap_.push_back(this);
        loop_.heap_place(loop_.heap_.size() - 1, this);
        loop_.heap_up(index_);
    }
}

void Timer::arm_after(Duration delay) {
    arm(time_after(loop_.now(), delay));
}

Timer::~Timer() {
    if (firing_) {
        loop_.firing_ = nullptr;
    }
    disarm();
}

void Timer::disarm() noexcept {
    if (armed()) {
        loop_.heap_remove(index_);
    }
}

std::optional<TimePoint> Loop::next_deadline() const noexcept {
    if (heap_.empty()) {
        return std::nullopt;
    }
    return heap_.front()->when_;
}

void Loop::fire_timers() {
    // Timers armed while these fire wait for the next turn: a timer that re-arms itself for "now"
    // must not starve the rest.
    const std::uint64_t last = timer_sequence_;
    while (!heap_.empty() && heap_.front()->when_ <= now_ && heap_.front()->sequence_ <= last) {
        Timer* timer = heap_.front();
        heap_remove(0);
        fire(*timer);
    }
}

void Loop::fire(Timer& timer) {
    // Firing may destroy the timer and with it the function that runs: it is kept here meanwhile.
    struct Firing {
        Loop& loop;
        Timer& timer;
        std::function<void()> on_fire = std::move(timer.on_fire_);
        ~Firing() {
            if (loop.firing_ != nullptr) {
                timer.on_fire_ = std::move(on_fire);
                timer.firing_ = false;
                loop.firing_ = nullptr;
            }
        }
    };
    firing_ = &timer;
    timer.firing_ = true;
    const Firing firing{*this, timer};
    const Step step(*this, "(timer)");
    firing.on_fire();
}

bool Loop::earlier(const Timer& a, const Timer& b) const noexcept {
    return a.when_ != b.when_ ? a.when_ < b.when_ : a.sequence_ < b.sequence_;
}

void Loop::heap_place(std::size_t index, Timer* timer) noexcept {
    heap_[index] = timer;
    timer->index_ = index;
}

void Loop::heap_up(std::size_t index) noexcept {
    Timer* timer = heap_[index];
    while (index > 0) {
        const std::size_t parent = (index - 1) / 4;
        if (!earlier(*timer, *heap_[parent])) {
            break;
        }
        heap_place(index, heap_[parent]);
        index = parent;
    }
    heap_place(index, timer);
}

void Loop::heap_down(std::size_t index) noexcept {
    Timer* timer = heap_[index];
    for (;;) {
        const std::size_t first = index * 4 + 1;
        if (first >= heap_.size()) {
            break;
        }
        std::size_t best = first;
        const std::size_t end = std::min(first + 4, heap_.size());
        for (std::size_t child = first + 1; child < end; ++child) {
            if (earlier(*heap_[child], *heap_[best])) {
                best = child;
            }
        }
        if (!earlier(*heap_[best], *timer)) {
            break;
        }
        heap_place(index, heap_[best]);
        index = best;
    }
    heap_place(index, timer);
}

void Loop::heap_remove(std::size_t index) noexcept {
    heap_[index]->index_ = Timer::kUnarmed;
    Timer* last = heap_.back();
    heap_.pop_back();
    if (index < heap_.size()) {
        heap_place(index, last);
        heap_up(index);
        heap_down(last->index_);
    }
}

// ---- waits on time ----

task<result<void>> Loop::sleep_until(TimePoint when) {
    WaitList due;
    Timer timer(*this, [&due] { due.wake_all(); });
    timer.arm(when);
    co_return co_await due.wait();
}

task<result<void>> Loop::sleep(Duration duration) {
    co_return co_await sleep_until(time_after(now_, duration));
}

namespace {

struct Yield {
    Loop& loop;
    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> handle) const noexcept {
        loop.make_ready(handle.promise());
    }
    void await_resume() const noexcept {}
};

}  // namespace

task<void> Loop::yield() {
    co_await Yield{*this};
}

}  // namespace alknet
