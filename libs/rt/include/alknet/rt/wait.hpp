// WaitList: where coroutines wait to be woken. Every primitive of the runtime is one of these and a
// little state. A wait ends with success when somebody wakes it, or with kCancelled when the
// inherited Cancel is requested first; both only make the coroutine ready, neither resumes it.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/task.hpp>

namespace alknet {

class WaitList;

class WaitNode final : public ListHook<struct WaitTag>, private CancelHook {
public:
    WaitNode(WaitList& list, bool cancellable) noexcept : list_(list), cancellable_(cancellable) {}

    bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> handle) noexcept {
        return suspend(handle.promise());
    }
    result<void> await_resume() const;

private:
    friend class WaitList;
    bool suspend(PromiseBase& promise) noexcept;
    void wake() noexcept;
    void on_cancel() noexcept override;

    WaitList& list_;
    PromiseBase* promise_ = nullptr;
    bool cancellable_;
    bool cancelled_ = false;
};

/// Belongs to one loop. Destroying a list strands its waiters: whoever owns it wakes them first.
class WaitList {
public:
    /// `ALKNET_CO_CHECK(co_await list.wait());`
    [[nodiscard]] WaitNode wait() noexcept { return WaitNode(*this, true); }
    /// For the ends of structured work, which are awaited even when cancelled. Never fails.
    [[nodiscard]] WaitNode wait_uncancellable() noexcept { return WaitNode(*this, false); }

    void wake_one() noexcept;
    void wake_all() noexcept;
    [[nodiscard]] bool empty() const noexcept { return waiters_.empty(); }

private:
    friend class WaitNode;
    IntrusiveList<WaitNode, WaitTag> waiters_;
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
