// Running a task against the clock, and entering the world of tasks from ordinary code.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <exception>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace alknet {

/// Gives `work` at most `limit`. When the time is up, `work` is cancelled and still awaited; if it
/// then ends in kCancelled the result is kTimeout, and whatever else it returned stands.
/// Duration::max() is no limit.
template <class T>
task<result<T>> with_timeout(Duration limit, task<result<T>> work) {
    const TaskContext context = co_await current_context();
    Cancel* const outer = work.cancel() != nullptr ? work.cancel() : context.cancel;
    Cancel cancel(outer);
    bool expired = false;
    Timer timer(*context.loop, [&] {
        expired = true;
        cancel.request();
    });
    timer.arm_after(limit);
    result<T> outcome = co_await std::move(work).under(cancel);
    const bool from_outside = outer != nullptr && outer->requested();
    if (!outcome && expired && !from_outside && outcome.error().is(errc::cancelled)) {
        co_return fail(causes::kTimeout);
    }
    co_return outcome;
}

namespace detail {

template <class T>
struct Blocked {
    using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
    std::optional<Value> value;
    std::exception_ptr exception;
    bool ended = false;
};

template <class T>
task<void> run_blocked(Loop& loop, task<T> work, Blocked<T>& blocked) {
    try {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(work);
            blocked.value.emplace();
        } else {
            blocked.value.emplace(co_await std::move(work));
        }
    } catch (...) {
        blocked.exception = std::current_exception();
    }
    blocked.ended = true;
    loop.poller().wake();  // this turn must not wait for events that never come
}

}  // namespace detail

/// Runs turns until `work` has ended, from ordinary code on the loop's own thread, while no turn
/// runs. `Loop::stop` does not end it. Exceptions of the task come out here.
template <class T>
T block_on(Loop& loop, task<T> work, std::string_view name = "main") {
    detail::Blocked<T> blocked;
    TaskScope scope(loop);
    scope.spawn(detail::run_blocked(loop, std::move(work), blocked), name);
    while (!blocked.ended) {
        loop.turn(true);
    }
    if (blocked.exception) {
        std::rethrow_exception(blocked.exception);
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*blocked.value);
    }
}

}  // namespace alknet
