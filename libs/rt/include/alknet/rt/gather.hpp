// Several tasks of which all are wanted. They run concurrently on the caller's loop. The first
// failure cancels the others, which are awaited before it is handed over; a task that throws does
// the same with its exception.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace alknet {

/// What stands for a value of T among gathered values: monostate for void.
template <class T>
using Gathered = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

namespace detail {

template <class T>
task<void> gather_branch(task<result<T>> work, std::optional<Gathered<T>>& slot,
                         std::optional<error>& failure, TaskScope& scope) {
    result<T> outcome = co_await std::move(work);
    if (!outcome) {
        if (!failure) {
            failure = std::move(outcome).error();
            scope.cancel();
        }
    } else if constexpr (std::is_void_v<T>) {
        slot.emplace();
    } else {
        slot.emplace(std::move(*outcome));
    }
}

template <std::size_t... I, class... T>
void spawn_gather(std::index_sequence<I...>, TaskScope& scope, const char* name,
                  std::tuple<std::optional<Gathered<T>>...>& slots, std::optional<error>& failure,
                  task<result<T>>&... works) {
    (scope.spawn(gather_branch<T>(std::move(works), std::get<I>(slots), failure, scope), name),
     ...);
}

}  // namespace detail

/// All values, in the order of the tasks, or the first failure.
template <class... T>
task<result<std::tuple<Gathered<T>...>>> gather(task<result<T>>... works) {
    const TaskContext context = co_await current_context();
    std::tuple<std::optional<Gathered<T>>...> slots;
    std::optional<error> failure;
    TaskScope scope(*context.loop, context.cancel);
    detail::spawn_gather<>(std::index_sequence_for<T...>(), scope, context.name, slots, failure,
                           works...);
    (void)co_await scope.join();
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    co_return std::apply(
        [](auto&... slot) { return std::tuple<Gathered<T>...>(std::move(*slot)...); }, slots);
}

/// The same for any number of tasks, none included.
template <class T>
task<result<std::vector<Gathered<T>>>> gather(std::vector<task<result<T>>> works) {
    const TaskContext context = co_await current_context();
    std::vector<std::optional<Gathered<T>>> slots(works.size());
    std::optional<error> failure;
    TaskScope scope(*context.loop, context.cancel);
    for (std::size_t i = 0; i < works.size(); ++i) {
        scope.spawn(detail::gather_branch<T>(std::move(works[i]), slots[i], failure, scope),
                    context.name);
    }
    (void)co_await scope.join();
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    std::vector<Gathered<T>> values;
    values.reserve(slots.size());
    for (auto& slot : slots) {
        values.push_back(std::move(*slot));
    }
    co_return values;
}

}  // namespace alknet
