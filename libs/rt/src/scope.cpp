#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>

namespace alknet {

/// The coroutine around a spawned task. Its frame destroys itself when the task has ended.
class TaskScope::Root {
public:
    class promise_type final : public PromiseBase {
    public:
        promise_type(TaskScope& scope, const auto&) noexcept
            : PromiseBase(std::coroutine_handle<promise_type>::from_promise(*this)), scope(scope) {
            hook.promise = this;
        }
        Root get_return_object() noexcept { return Root{*this}; }
        void return_void() const noexcept {}
        /// Does not suspend: the frame ends, and with it the task that it awaited.
        struct Ended {
            promise_type& promise;
            bool await_ready() const noexcept {
                promise.scope.ended(promise.hook);
                return true;
            }
            void await_suspend(std::coroutine_handle<>) const noexcept {}
            void await_resume() const noexcept {}
        };
        Ended final_suspend() noexcept { return {*this}; }
        void unhandled_exception() noexcept {
            if (!scope.exception_) {
                scope.exception_ = std::current_exception();
            }
            scope.cancel();
        }

        TaskScope& scope;
        RootHook hook;
    };

    promise_type& promise;
};

TaskScope::Root TaskScope::run(TaskScope& scope, task<result<void>> work) {
    result<void> outcome = co_await std::move(work);
    if (!outcome && !outcome.error().is(errc::cancelled)) {
        if (scope.outcome_) {
            scope.outcome_ = std::move(outcome);
        }
        scope.cancel();
    }
}

TaskScope::Root TaskScope::run_void(TaskScope&, task<void> work) {
    co_await std::move(work);
}

void TaskScope::start(Root root, std::string_view name) {
    Root::promise_type& promise = root.promise;
    promise.context = {&loop_, &cancel_, loop_.intern(name)};
    roots_.push_back(promise.hook);
    ++size_;
    loop_.make_ready(promise);
}

void TaskScope::spawn(task<result<void>> work, std::string_view name) {
    start(run(*this, std::move(work)), name);
}

void TaskScope::spawn(task<void> work, std::string_view name) {
    start(run_void(*this, std::move(work)), name);
}

void TaskScope::ended(RootHook& root) noexcept {
    root.unlink();
    if (--size_ == 0) {
        drained_.wake_all();
    }
}

task<result<void>> TaskScope::join() {
    while (size_ > 0) {
        (void)co_await drained_.wait_uncancellable();
    }
    if (exception_) {
        std::rethrow_exception(std::exchange(exception_, nullptr));
    }
    co_return std::exchange(outcome_, result<void>{});
}

TaskScope::~TaskScope() {
    while (RootHook* root = roots_.pop_front()) {
        root->promise->handle().destroy();
    }
}

}  // namespace alknet
