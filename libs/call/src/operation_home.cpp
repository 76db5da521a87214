#include <alknet/base/causes.hpp>
#include <alknet/call/operation_home.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/wait.hpp>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace alknet::call {

/// Crosses from one loop to the other and back; each member is used on one side at a time.
struct OperationHome::Errand : std::enable_shared_from_this<Errand> {
    Errand(Loop& home, Loop& from, CallContext whose, Json with)
        : at(home), caller(from), context(std::move(whose)), input(std::move(with)) {}
    Loop& at;
    Loop& caller;
    Work work{};
    CallContext context;
    Json input;
    // At home.
    Cancel* running = nullptr;
    bool unwanted = false;
    Event taken;  // the item: the next one may come
    // Set at home before the caller is told.
    std::optional<Item> item{};
    result<Json> outcome;
    std::exception_ptr exception = nullptr;
    // At the caller's.
    Event told;
    bool fresh = false;  // there is an item
    bool ended = false;

    void tell_caller(bool end) {
        caller.post([self = shared_from_this(), end] {
            (end ? self->ended : self->fresh) = true;
            self->told.set();
        });
    }
    void tell_home() {
        at.post([self = shared_from_this()] { self->taken.set(); });
    }
};

/// One item crosses at a time.
class OperationHome::HomeSink final : public ItemSink {
public:
    explicit HomeSink(Errand& errand) : errand_(errand) {}
    task<result<void>> give(Item item) override {
        ALKNET_CO_CHECK(co_await errand_.taken.wait());
        errand_.taken.clear();
        errand_.item = std::move(item);
        errand_.tell_caller(false);
        co_return result<void>();
    }

private:
    Errand& errand_;
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
        if (errand_->ended || std::exchange(told_, true)) {
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
    // The errand has a function of its own: whoever waits may be taken down before it is run.
    auto errand = std::make_shared<Errand>(loop_, *here.loop, std::move(context), std::move(input));
    errand->work = [function](Errand& given) {
        return function(std::move(given.context), std::move(given.input));
    };
    co_return co_await send(std::move(errand), nullptr);
}

task<result<Json>> OperationHome::subscribed(Errand& errand, const SubscribeFunction& function) {
    HomeSink sink(errand);
    errand.taken.set();
    ALKNET_CO_CHECK(co_await function(std::move(errand.context), std::move(errand.input), sink));
    // The last item is on its way until it is taken.
    ALKNET_CO_CHECK(co_await errand.taken.wait());
    co_return Json();
}

task<result<void>> OperationHome::subscribe(const SubscribeFunction& function, CallContext context,
                                            Json input, ItemSink& items) {
    const TaskContext here = co_await current_context();
    if (here.loop == &loop_) {
        co_return co_await function(std::move(context), std::move(input), items);
    }
    auto errand = std::make_shared<Errand>(loop_, *here.loop, std::move(context), std::move(input));
    errand->work = [function](Errand& given) { return subscribed(given, function); };
    ALKNET_CO_CHECK(co_await send(std::move(errand), &items));
    co_return result<void>();
}

task<result<Json>> OperationHome::send(std::shared_ptr<Errand> errand, ItemSink* items) {
    // Each has at most three posts on its way, so that the loops' inboxes have room for all.
    if (++errands_ > kErrandsMax) {
        --errands_;
        co_return fail(causes::kLimit,
                       "errands_max: " + std::to_string(kErrandsMax) + " calls from other loops");
    }
    Guard guard(shared_from_this(), errand);
    loop_.post([self = shared_from_this(), errand] { self->begin(errand); });
    result<void> wanted;
    while (!errand->ended) {
        if (wanted) {
            wanted = co_await errand->told.wait();
        } else {
            guard.end();
            co_await errand->told.wait_uncancellable();
        }
        errand->told.clear();
        if (std::exchange(errand->fresh, false)) {
            if (wanted) {
                wanted = co_await items->give(std::move(*errand->item));
            }
            errand->tell_home();
        }
    }
    if (errand->exception) {
        std::rethrow_exception(errand->exception);
    }
    if (!wanted && !wanted.error().is(errc::cancelled)) {
        co_return unexpected(wanted.error());
    }
    co_return std::move(errand->outcome);
}

void OperationHome::begin(const std::shared_ptr<Errand>& errand) {
    if (closed_) {
        errand->outcome = fail(causes::kShuttingDown);
        errand->tell_caller(true);
        return;
    }
    scope_.spawn(work(errand), "call.errand");
}

task<void> OperationHome::work(std::shared_ptr<Errand> errand) {
    const TaskContext here = co_await current_context();
    Cancel cancel(here.cancel);
    if (errand->unwanted) {
        errand->outcome = fail(causes::kCancelled);
        errand->tell_caller(true);
        co_return;
    }
    errand->running = &cancel;
    try {
        auto work = errand->work(*errand);
        errand->outcome = co_await std::move(work).under(cancel);
    } catch (...) {
        errand->exception = std::current_exception();
    }
    errand->running = nullptr;
    errand->tell_caller(true);
}

task<void> OperationHome::close() {
    closed_ = true;
    scope_.cancel();
    (void)co_await scope_.join();
}

}  // namespace alknet::call
