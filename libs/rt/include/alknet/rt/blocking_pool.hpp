// BlockingPool: a few threads for what blocks and cannot be made not to (names to resolve, files to
// sync). The number of threads and of jobs that wait for one are bounded.
//
// A function that has begun runs to its end: nothing can stop it. A waiter that is cancelled gets
// kCancelled at once, and what the function returns is dropped; if it has not begun it never will.
// So the function must own everything that it uses: no references to the caller's frame. It is
// destroyed on the waiter's loop.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace alknet {

struct BlockingPoolOptions {
    std::string name = "blocking";
    /// 0: functions run on the waiter's own loop, in a later turn. For simulations, in which
    /// nothing may depend on threads.
    std::size_t threads = 4;
    std::size_t queue_max = 256;  // jobs that wait for a thread
};

namespace detail {

/// What `run` gives for a function that returns R: R if it is a result, else result<R>.
template <class R>
struct PoolOutcome {
    using type = result<R>;
};
template <class R>
struct PoolOutcome<result<R>> {
    using type = result<R>;
};

class PoolJob {
public:
    explicit PoolJob(Loop& waiters_loop) noexcept : loop(waiters_loop) {}
    PoolJob(const PoolJob&) = delete;
    PoolJob& operator=(const PoolJob&) = delete;
    virtual ~PoolJob() = default;

    virtual void call() noexcept = 0;

    Loop& loop;
    std::atomic<bool> abandoned = false;  // the waiter is gone
    Event ended;                          // the loop's
};

template <class F>
class PoolCall final : public PoolJob {
public:
    using Returned = std::invoke_result_t<F&>;
    using Outcome = typename PoolOutcome<Returned>::type;

    PoolCall(Loop& waiters_loop, F function)
        : PoolJob(waiters_loop), function_(std::move(function)) {}

    void call() noexcept override {
        try {
            if constexpr (std::is_void_v<Returned>) {
                function_();
                outcome_.emplace();
            } else {
                outcome_.emplace(function_());
            }
        } catch (...) {
            exception_ = std::current_exception();
        }
    }

    /// kCancelled if the pool ended before the function began.
    Outcome take() {
        if (exception_) {
            std::rethrow_exception(exception_);
        }
        return outcome_ ? std::move(*outcome_) : Outcome(fail(causes::kCancelled));
    }

private:
    F function_;
    std::optional<Outcome> outcome_;
    std::exception_ptr exception_;
};

/// Tells the job that nobody waits any more.
class PoolWaiter {
public:
    explicit PoolWaiter(PoolJob& job) noexcept : job_(job) {}
    PoolWaiter(const PoolWaiter&) = delete;
    PoolWaiter& operator=(const PoolWaiter&) = delete;
    ~PoolWaiter() { job_.abandoned.store(true, std::memory_order_relaxed); }

private:
    PoolJob& job_;
};

}  // namespace detail

class BlockingPool final {
public:
    /// Errors: kIo when the threads cannot be started.
    static result<std::unique_ptr<BlockingPool>> create(BlockingPoolOptions options);

    /// Waits for the functions that run; jobs that have not begun end with kCancelled. The loops
    /// that wait for jobs must live until then.
    ~BlockingPool();
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;

    /// Runs `function()` on a thread of the pool and gives what it returns: result<R> for R, and
    /// result<R> as it is. What it throws comes out here. Errors: those of the function; kLimit
    /// when the queue is full; kCancelled.
    template <class F>
    task<typename detail::PoolCall<F>::Outcome> run(F function) {
        const TaskContext context = co_await current_context();
        if (context.cancel != nullptr && context.cancel->requested()) {
            co_return fail(causes::kCancelled);
        }
        auto job = std::make_shared<detail::PoolCall<F>>(*context.loop, std::move(function));
        const detail::PoolWaiter waiter(*job);
        ALKNET_CO_CHECK(submit(job));
        ALKNET_CO_CHECK(co_await job->ended.wait());
        co_return job->take();
    }

    /// Jobs that wait for a thread. Thread-safe.
    [[nodiscard]] std::size_t queued() const;

private:
    class Queue;
    BlockingPool(BlockingPoolOptions options, std::shared_ptr<Queue> queue);
    result<void> submit(std::shared_ptr<detail::PoolJob> job);

    const BlockingPoolOptions options_;
    const std::shared_ptr<Queue> queue_;
    std::vector<std::thread> threads_;
};

}  // namespace alknet
