// task<T>: a lazy coroutine that one other coroutine awaits, once.
//
// It starts when it is awaited, on the awaiting coroutine's loop, and inherits its Cancel and name.
// A child that ends without suspending costs no trip through the loop; one that suspended hands its
// parent to the front of the loop's ready queue when it ends, so that the coroutines which await
// one another run on before anything else does. There is no symmetric transfer: it would overflow
// the stack in unoptimised and sanitizer builds of some compilers.
//
// A suspended frame may be destroyed (its owner dies): every awaitable of the runtime unregisters
// itself in its destructor. A frame that runs must not be: nothing in a task's body may destroy the
// scope, or the object around the scope, that the task was spawned in.
#pragma once

#include <alknet/base/assert.hpp>
#include <alknet/rt/intrusive_list.hpp>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace alknet {

class Cancel;
class Loop;

/// What a running coroutine inherits from the one that awaits it.
struct TaskContext {
    Loop* loop = nullptr;
    Cancel* cancel = nullptr;
    const char* name = nullptr;  // interned by the loop; for the watchdog
};

/// The part of a promise that the loop and awaitables deal with.
class PromiseBase : public ListHook<struct ReadyTag> {
public:
    TaskContext context;
    PromiseBase* continuation = nullptr;
    bool done = false;

    [[nodiscard]] std::coroutine_handle<> handle() const noexcept { return handle_; }

    /// Asked when a child has ended without suspending: true, and this is ready, once that has
    /// happened so often in one turn that others must have theirs (Loop::kInlineBudget).
    [[nodiscard]] bool gives_way() noexcept;

    std::suspend_always initial_suspend() const noexcept { return {}; }

    struct FinalAwaiter {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
            ended.promise().finish();
        }
        void await_resume() const noexcept {}
    };
    FinalAwaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { exception_ = std::current_exception(); }

protected:
    explicit PromiseBase(std::coroutine_handle<> handle) noexcept : handle_(handle) {}
    void rethrow_if_failed() const {
        if (exception_) {
            std::rethrow_exception(exception_);
        }
    }

private:
    void finish() noexcept;  // marks done and makes the continuation the next to run

    std::coroutine_handle<> handle_;
    std::exception_ptr exception_;
};

template <class T>
class Promise;

template <class T = void>
class [[nodiscard]] task {
public:
    using promise_type = Promise<T>;
    using value_type = T;

    task() noexcept = default;
    task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    task& operator=(task&& other) noexcept {
        if (this != &other) {
            reset();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    ~task() { reset(); }

    // Not `handle_ != nullptr`: for some T that considers the operators of std::expected in
    // libstdc++ 12, which do not compile then.
    explicit operator bool() const noexcept { return handle_.address() != nullptr; }

    /// Runs below another Cancel than the awaiting coroutine's, whose requests then reach the task
    /// only if `cancel` is a child of it. `cancel` must outlive the task.
    task under(Cancel& cancel) && {
        ALKNET_ASSERT(bool(*this));
        handle_.promise().context.cancel = &cancel;
        return std::move(*this);
    }
    /// What `under` gave it, else null.
    [[nodiscard]] Cancel* cancel() const noexcept {
        return *this ? handle_.promise().context.cancel : nullptr;
    }

    /// Owns the frame of the child while it runs.
    class Awaiter {
    public:
        explicit Awaiter(task child) noexcept : child_(std::move(child)) {}

        bool await_ready() const noexcept { return false; }
        template <class Parent>
        bool await_suspend(std::coroutine_handle<Parent> parent) const {
            PromiseBase& mine = child_.handle_.promise();
            const TaskContext& theirs = parent.promise().context;
            mine.context.loop = theirs.loop;
            mine.context.name = theirs.name;
            if (mine.context.cancel == nullptr) {
                mine.context.cancel = theirs.cancel;
            }
            child_.handle_.resume();
            if (mine.done) {
                return parent.promise().gives_way();
            }
            mine.continuation = &parent.promise();
            return true;
        }
        T await_resume() const { return child_.handle_.promise().take(); }

    private:
        task child_;
    };
    Awaiter operator co_await() && {
        ALKNET_ASSERT(bool(*this));
        return Awaiter(std::move(*this));
    }

private:
    friend class Promise<T>;
    explicit task(std::coroutine_handle<Promise<T>> handle) noexcept : handle_(handle) {}
    void reset() noexcept {
        if (*this) {
            std::exchange(handle_, nullptr).destroy();
        }
    }

    std::coroutine_handle<Promise<T>> handle_;
};

template <class T>
class Promise final : public PromiseBase {
public:
    Promise() noexcept : PromiseBase(std::coroutine_handle<Promise>::from_promise(*this)) {}
    task<T> get_return_object() noexcept {
        return task<T>(std::coroutine_handle<Promise>::from_promise(*this));
    }
    template <class U = T>  // the default lets `co_return {}` compile
    void return_value(U&& value) {
        value_.emplace(std::forward<U>(value));
    }
    T take() {
        rethrow_if_failed();
        return std::move(*value_);
    }

private:
    std::optional<T> value_;
};

template <>
class Promise<void> final : public PromiseBase {
public:
    Promise() noexcept : PromiseBase(std::coroutine_handle<Promise>::from_promise(*this)) {}
    task<void> get_return_object() noexcept {
        return task<void>(std::coroutine_handle<Promise>::from_promise(*this));
    }
    void return_void() const noexcept {}
    void take() const { rethrow_if_failed(); }
};

/// `const TaskContext context = co_await current_context();` never suspends.
struct CurrentContext {
    TaskContext context;
    bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> handle) noexcept {
        context = handle.promise().context;
        return false;
    }
    TaskContext await_resume() const noexcept { return context; }
};
inline CurrentContext current_context() noexcept {
    return {};
}

}  // namespace alknet
