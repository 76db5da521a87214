// Running a task against the clock, and entering the world of tasks from ordinary code.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <optional>

namespace alknet {

/// Gives `work` at most `limit`. When the time is up, `work` is cancelled and still awaited; if it
/// then ends in kCancelled the result is kTimeout, and whatever else it returned stands.
template <class T>
task<result<T>> with_timeout(Duration limit, task<result<T>> work) {
    const TaskContext context = co_await current_context();
    Cancel cancel(context.cancel);
    bool expired = false;
    Timer timer(*context.loop, [&] {
        expired = true;
        cancel.request();
    });
    timer.arm_after(limit);
    result<T> outcome = co_await std::move(work).under(cancel);
    const bool outer = context.cancel != nullptr && context.cancel->requested();
    if (!outcome && expired && !outer && outcome.error().is(errc::cancelled)) {
        co_return fail(causes::kTimeout);
    }
    co_return outcome;
}

namespace detail {

template <class T>
task<void> run_and_stop(Loop& loop, task<T> work, std::optional<T>& value,
                        std::exception_ptr& exception) {
    try {
        value.emplace(co_await std::move(work));
    } catch (...) {
        exception = std::current_exception();
    }
    loop.stop();
}

}  // namespace detail

/// Runs `work` to its end on `loop`, from ordinary code on the loop's own thread, while `run` does
/// not run. Exceptions of the task come out here.
template <class T>
T block_on(Loop& loop, task<T> work, std::string_view name = "main") {
    std::optional<T> value;
    std::exception_ptr exception;
    TaskScope scope(loop);
    scope.spawn(detail::run_and_stop(loop, std::move(work), value, exception), name);
    loop.run();
    if (exception) {
        std::rethrow_exception(exception);
    }
    return std::move(*value);
}

}  // namespace alknet
