// Several tasks of which one is wanted. All run concurrently on the caller's loop; the losers are
// cancelled and awaited before the winner is handed over, so that nothing is left behind. A value
// that a loser returns nevertheless is destroyed. A task that throws cancels the others, and the
// exception comes out here.
//
// The tasks must not have been given a Cancel with `under`, unless it is a child of the caller's:
// they could not be told that they have lost.
#pragma once

#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace alknet {

namespace detail {

template <std::size_t I, class Outcome, class T>
task<void> race_branch(task<result<T>> work, std::optional<Outcome>& winner, TaskScope& scope) {
    result<T> outcome = co_await std::move(work);
    if (!winner) {
        winner.emplace(std::in_place_index<I>, std::move(outcome));
        scope.cancel();
    }
}

template <class Outcome, std::size_t... I, class... T>
void spawn_race(std::index_sequence<I...>, TaskScope& scope, const char* name,
                std::optional<Outcome>& winner, task<result<T>>&... works) {
    (scope.spawn(race_branch<I, Outcome, T>(std::move(works), winner, scope), name), ...);
}

}  // namespace detail

/// The first of `works` to end, well or not; `index()` tells which it was. When two end in the same
/// turn, it is the one that ended first, and the other's wait has taken nothing.
template <class... T>
    requires(sizeof...(T) > 0)
task<std::variant<result<T>...>> race(task<result<T>>... works) {
    using Outcome = std::variant<result<T>...>;
    const TaskContext context = co_await current_context();
    std::optional<Outcome> winner;
    TaskScope scope(*context.loop, context.cancel);
    detail::spawn_race<Outcome>(std::index_sequence_for<T...>(), scope, context.name, winner,
                                works...);
    (void)co_await scope.join();
    co_return std::move(*winner);
}

template <class T>
struct Raced {
    std::size_t index;
    result<T> outcome;
};

namespace detail {

template <class T>
task<void> race_branch_of(task<result<T>> work, std::size_t index, std::optional<Raced<T>>& winner,
                          TaskScope& scope) {
    result<T> outcome = co_await std::move(work);
    if (!winner) {
        winner.emplace(index, std::move(outcome));
        scope.cancel();
    }
}

}  // namespace detail

/// The same for any number of tasks, at least one.
template <class T>
task<Raced<T>> race(std::vector<task<result<T>>> works) {
    ALKNET_ASSERT(!works.empty());
    const TaskContext context = co_await current_context();
    std::optional<Raced<T>> winner;
    TaskScope scope(*context.loop, context.cancel);
    for (std::size_t i = 0; i < works.size(); ++i) {
        scope.spawn(detail::race_branch_of<T>(std::move(works[i]), i, winner, scope), context.name);
    }
    (void)co_await scope.join();
    co_return std::move(*winner);
}

struct FirstSuccessOptions {
    /// An attempt starts this long after the one before it, or at once when any attempt fails.
    Duration stagger = std::chrono::milliseconds(250);
    /// True for a failure after which no other attempt may be made or go on (a wrong key, say).
    std::function<bool(const error&)> decisive;
};

namespace detail {

template <class T>
struct FirstSuccess {
    std::function<bool(const error&)> decisive;
    std::optional<result<T>> outcome;  // a success, or a decisive failure
    std::optional<error> failure;      // of the earliest attempt in the list
    std::size_t failed_index = 0;
    Event changed;

    void ended(std::size_t index, result<T> result_of_attempt, TaskScope& scope) {
        if (outcome) {
            return;
        }
        if (result_of_attempt || (decisive && decisive(result_of_attempt.error()))) {
            outcome.emplace(std::move(result_of_attempt));
            scope.cancel();
        } else if (!failure || index < failed_index) {
            failure = std::move(result_of_attempt).error();
            failed_index = index;
        }
        changed.set();
    }
};

template <class T>
task<void> first_success_branch(task<result<T>> work, std::size_t index, FirstSuccess<T>& state,
                                TaskScope& scope) {
    result<T> outcome = co_await std::move(work);
    state.ended(index, std::move(outcome), scope);
}

}  // namespace detail

/// Tries `attempts` (at least one) in order, each with a head start before the next, and gives the
/// first success. If all fail, the failure of the first in the list. Errors: those of the attempts;
/// kCancelled.
template <class T>
task<result<T>> first_success(std::vector<task<result<T>>> attempts,
                              FirstSuccessOptions options = {}) {
    ALKNET_ASSERT(!attempts.empty());
    const TaskContext context = co_await current_context();
    detail::FirstSuccess<T> state;
    state.decisive = std::move(options.decisive);
    Timer timer(*context.loop, [&state] { state.changed.set(); });
    TaskScope scope(*context.loop, context.cancel);
    for (std::size_t i = 0; i < attempts.size() && !state.outcome; ++i) {
        state.changed.clear();
        timer.arm_after(options.stagger);
        scope.spawn(detail::first_success_branch<T>(std::move(attempts[i]), i, state, scope),
                    context.name);
        if (!co_await state.changed.wait()) {
            break;  // cancelled, and so are the attempts
        }
    }
    timer.disarm();
    (void)co_await scope.join();
    if (state.outcome) {
        co_return std::move(*state.outcome);
    }
    if (context.cancel != nullptr && context.cancel->requested()) {
        co_return fail(causes::kCancelled);
    }
    co_return std::unexpected(std::move(*state.failure));
}

}  // namespace alknet
