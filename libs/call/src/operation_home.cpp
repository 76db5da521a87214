#include <alknet/base/causes.hpp>
#include <alknet/call/operation_home.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/wait.hpp>
#include <exception>
#include <string>
#include <utility>

namespace alknet::call {

/// Crosses from one loop to the other and back; each member is used on one side at a time.
struct OperationHome::Errand {
    Errand(Loop& from, const CallFunction& what, CallContext whose, Json with)
        : caller(from), function(what), context(std::move(whose)), input(std::move(with)) {}
    Loop& caller;
    const CallFunction& function;
    CallContext context;
    Json input;
    // At home.
    Cancel* running = nullptr;
    bool unwanted = false;
    // Set at home before the caller is told.
    result<Json> outcome;
    std::exception_ptr exception;
    // At the caller's.
    Event ended;

    void tell_caller(const std::shared_ptr<Errand>& self) {
        caller.post([self] { self->ended.set(); });
    }
};

/// Of a caller that waits. One that is taken down where it waits wants nothing more.
class OperationHome::Guard {
public:
    Guard(std::shared_ptr<OperationHome> home, std::shared_ptr<Errand> errand)
        : home_(std::move(home)), errand_(std::move(errand)) {}
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() {
        end();
        --home_->errands_;
    }

    void end() {
        if (errand_->ended.is_set() || std::exchange(told_, true)) {
            return;
        }
        home_->loop_.post([errand = errand_] {
            errand->unwanted = true;
            if (errand->running != nullptr) {
                errand->running->request();
            }
        });
    }

private:
    std::shared_ptr<OperationHome> home_;
    std::shared_ptr<Errand> errand_;
    bool told_ = false;
};

std::shared_ptr<OperationHome> OperationHome::create(Loop& loop) {
    return std::shared_ptr<OperationHome>(new OperationHome(loop));
}

task<result<Json>> OperationHome::run(const CallFunction& function, CallContext context,
                                      Json input) {
    const TaskContext here = co_await current_context();
    if (here.loop == &loop_) {
        co_return co_await function(std::move(context), std::move(input));
    }
    // Each posts twice at most, so that the loop's inbox has room for all.
    if (++errands_ > kErrandsMax) {
        --errands_;
        co_return fail(causes::kLimit,
                       "errands_max: " + std::to_string(kErrandsMax) + " calls from other loops");
    }
    const auto errand =
        std::make_shared<Errand>(*here.loop, function, std::move(context), std::move(input));
    Guard guard(shared_from_this(), errand);
    loop_.post([self = shared_from_this(), errand] { self->begin(errand); });
    const result<void> waited = co_await errand->ended.wait();
    if (!waited) {
        guard.end();
        co_await errand->ended.wait_uncancellable();
    }
    if (errand->exception) {
        std::rethrow_exception(errand->exception);
    }
    co_return std::move(errand->outcome);
}

void OperationHome::begin(const std::shared_ptr<Errand>& errand) {
    if (closed_) {
        errand->outcome = fail(causes::kShuttingDown);
        errand->tell_caller(errand);
        return;
    }
    scope_.spawn(work(errand), "call.errand");
}

task<void> OperationHome::work(std::shared_ptr<Errand> errand) {
    const TaskContext here = co_await current_context();
    Cancel cancel(here.cancel);
    if (errand->unwanted) {
        cancel.request();
    }
    errand->running = &cancel;
    try {
        auto work = errand->function(std::move(errand->context), std::move(errand->input));
        errand->outcome = co_await std::move(work).under(cancel);
    } catch (...) {
        errand->exception = std::current_exception();
    }
    errand->running = nullptr;
    errand->tell_caller(errand);
}

task<void> OperationHome::close() {
    closed_ = true;
    scope_.cancel();
    (void)co_await scope_.join();
}

}  // namespace alknet::call
