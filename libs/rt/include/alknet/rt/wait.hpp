// WaitList: where coroutines wait to be woken. Every primitive of the runtime is one of these and a
// little state. A wait ends with success when somebody wakes it, or with kCancelled when the
// inherited Cancel is requested before the coroutine has run on; both only make the coroutine
// ready, neither resumes it.
//
// `wake_one` is an offer to one waiter. If that waiter is cancelled or destroyed before it has run
// on, the offer goes to the next one: no wake-up is lost, and a cancelled wait has taken nothing.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/task.hpp>
#include <cstddef>
#include <cstdint>

namespace alknet {

class WaitList;

class WaitNode final : public ListHook<struct WaitTag>, private CancelHook {
public:
    WaitNode(WaitList& list, bool cancellable) noexcept : list_(list), cancellable_(cancellable) {}
    ~WaitNode() { leave(false); }

    bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> handle) noexcept {
        return suspend(handle.promise());
    }
    result<void> await_resume();

private:
    friend class WaitList;
    enum class State : std::uint8_t { idle, waiting, woken, offered };
    bool suspend(PromiseBase& promise) noexcept;
    void wake(State how) noexcept;
    void leave(bool offer_taken) noexcept;
    void on_cancel() noexcept override;

    WaitList& list_;  // alive while this is linked
    PromiseBase* promise_ = nullptr;
    State state_ = State::idle;
    bool cancellable_;
    bool cancelled_ = false;
};

/// Belongs to one loop. Destroying a list strands its waiters: whoever owns it wakes them first, or
/// destroys them too.
class WaitList {
public:
    /// `ALKNET_CO_CHECK(co_await list.wait());`
    [[nodiscard]] WaitNode wait() noexcept { return WaitNode(*this, true); }
    /// For the ends of structured work, which are awaited even when cancelled. Never fails.
    [[nodiscard]] WaitNode wait_uncancellable() noexcept { return WaitNode(*this, false); }

    /// Waiters are woken in the order in which they came.
    void wake_one() noexcept;
    void wake_all() noexcept;
    /// True if nobody waits to be woken.
    [[nodiscard]] bool empty() const noexcept { return waiters_.empty(); }
    /// Offers of `wake_one` whose waiter has not yet run on.
    [[nodiscard]] std::size_t offers() const noexcept { return offers_; }

private:
    friend class WaitNode;
    IntrusiveList<WaitNode, WaitTag> waiters_;
    IntrusiveList<WaitNode, WaitTag> woken_;
    std::size_t offers_ = 0;
};

/// A latch: waits end at once after `set`, until `clear`.
class Event {
public:
    void set() noexcept {
        set_ = true;
        waiters_.wake_all();
    }
    void clear() noexcept { set_ = false; }
    [[nodiscard]] bool is_set() const noexcept { return set_; }
    /// Errors: kCancelled.
    task<result<void>> wait();
    task<void> wait_uncancellable();

private:
    WaitList waiters_;
    bool set_ = false;
};

}  // namespace alknet
