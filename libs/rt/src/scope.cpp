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

TaskScope::Root TaskScope::run(TaskScope& scope, task<result<void>>::Awaiter work) {
    result<void> outcome = co_await work;
    if (!outcome && !outcome.error().is(errc::cancelled)) {
        if (scope.outcome_) {
            scope.outcome_ = std::move(outcome);
        }
        scope.cancel();
    }
}

TaskScope::Root TaskScope::run_void(TaskScope&, task<void>::Awaiter work) {
    co_await work;
}

void TaskScope::start(Root root, std::string_view name) {
    Root::promise_type& promise = root.promise;
    promise.context = {&loop_, &cancel_, loop_.intern(name)};
    promise.hook.record.name = promise.context.name;
    loop_.adopt(promise.hook.record);
    roots_.push_back(promise.hook);
    ++size_;
    loop_.make_ready(promise);
}

void TaskScope::spawn(task<result<void>> work, std::string_view name) {
    start(run(*this, std::move(work).operator co_await()), name);
}

void TaskScope::spawn(task<void> work, std::string_view name) {
    start(run_void(*this, std::move(work).operator co_await()), name);
}

void TaskScope::ended(RootHook& root) noexcept {
    root.unlink();
    if (--size_ == 0) {
        drained_.wake_all();
    }
}

namespace {

class ForwardCancel final : public CancelHook {
public:
    explicit ForwardCancel(TaskScope& scope) noexcept : scope_(scope) {}
    void on_cancel() noexcept override { scope_.cancel(); }

private:
    TaskScope& scope_;
};

}  // namespace

task<result<void>> TaskScope::idle() {
    while (size_ > 0) {
        ALKNET_CO_CHECK(co_await drained_.wait());
    }
    co_return result<void>{};
}

task<result<void>> TaskScope::join() {
    const TaskContext context = co_await current_context();
    ForwardCancel forward(*this);
    if (context.cancel != nullptr) {
        context.cancel->add(forward);
    }
    while (size_ > 0) {
        (void)co_await drained_.wait_uncancellable();
    }
    rethrow();
    co_return std::exchange(outcome_, result<void>{});
}

void TaskScope::rethrow() {
    if (exception_) {
        std::rethrow_exception(std::exchange(exception_, nullptr));
    }
}

TaskScope::~TaskScope() {
    while (RootHook* root = roots_.pop_front()) {
        root->promise->handle().destroy();
    }
}

}  // namespace alknet
