// TaskScope: the owner of concurrent tasks. Nothing runs outside a scope, and a scope's owner
// awaits `join` before it goes: cancel and await all, so no task outlives what it refers to.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <exception>
#include <string_view>

namespace alknet {

class TaskScope {
public:
    /// `parent`, if given, must outlive the scope or be requested before it dies.
    explicit TaskScope(Loop& loop, Cancel* parent = nullptr) noexcept
        : loop_(loop), cancel_(parent) {}
    TaskScope(const TaskScope&) = delete;
    TaskScope& operator=(const TaskScope&) = delete;
    /// Tasks that were not joined are destroyed where they wait. A task may hold the last reference
    /// to what the scope lives in: its frame dies after the scope has forgotten it.
    ~TaskScope();

    /// Starts `work` later, as `name` to the watchdog. An error, or an exception, is kept (the
    /// first), cancels the siblings and is what `join` gives.
    void spawn(task<result<void>> work, std::string_view name);
    void spawn(task<void> work, std::string_view name);

    /// Asks every task to end. New ones may still be spawned; they start cancelled.
    void cancel() noexcept { cancel_.request(); }
    [[nodiscard]] Cancel& token() noexcept { return cancel_; }
    [[nodiscard]] Loop& loop() noexcept { return loop_; }

    /// Waits until no task is left. Cancelling the wait cancels the tasks, which are still awaited.
    /// Gives the first error of a task other than kCancelled; an exception is thrown on.
    task<result<void>> join();
    /// Waits until no task is left and leaves the tasks alone if the wait is cancelled.
    /// Errors: kCancelled.
    task<result<void>> idle();
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// For ordinary code once no task is left: throws what a task threw, as `join` would.
    void rethrow();

private:
    class Root;
    struct RootTag;
    struct RootHook : ListHook<RootTag> {
        PromiseBase* promise = nullptr;
        TaskRecord record;
    };
    // The awaiter is a parameter so that the task's frame dies after the root's promise.
    static Root run(TaskScope& scope, task<result<void>>::Awaiter work);
    static Root run_void(TaskScope& scope, task<void>::Awaiter work);
    void start(Root root, std::string_view name);
    void ended(RootHook& root) noexcept;

    Loop& loop_;
    Cancel cancel_;
    std::size_t size_ = 0;
    IntrusiveList<RootHook, RootTag> roots_;
    WaitList drained_;
    result<void> outcome_;
    std::exception_ptr exception_;
};

}  // namespace alknet
