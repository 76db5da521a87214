// Operations at home on a loop with a thread of its own, and callers on another.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/call/operation_home.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop_group.hpp>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace alknet::call {
namespace {

class CallOperationHome : public testing::Test {
protected:
    CallOperationHome() {
        group->run_on(1, [this] { home = OperationHome::create(group->at(1)); });
    }

    static task<void> close_there(std::shared_ptr<OperationHome> home, Loop& here, Event& closed) {
        co_await home->close();
        here.post([&closed] { closed.set(); });
    }
    static task<void> wait_for(Event& event) { co_await event.wait_uncancellable(); }

    void close() {
        Event closed;
        std::optional<TaskScope> scope;
        group->run_on(1, [&] {
            scope.emplace(group->at(1));
            scope->spawn(close_there(home, *loop, closed), "close");
        });
        block_on(*loop, wait_for(closed));
        group->run_on(1, [&] { scope.reset(); });
    }

    result<Json> call(const CallFunction& function, Json input = {}) {
        return block_on(*loop, home->run(function, {}, std::move(input)));
    }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::unique_ptr<LoopGroup> group = *LoopGroup::start(*loop, 2);
    std::shared_ptr<OperationHome> home;
};

task<result<Json>> give_back(std::thread::id& ran, Json input) {
    ran = std::this_thread::get_id();
    const TaskContext here = co_await current_context();
    co_await here.loop->yield();
    co_return input;
}

task<result<Json>> throw_it() {
    throw std::runtime_error("as told");
    co_return Json();
}

// Tells its caller's loop that it runs, and waits to be cancelled.
task<result<Json>> hang(Loop& caller, Event& begun, bool& cancelled) {
    caller.post([&begun] { begun.set(); });
    Event never;
    const auto waited = co_await never.wait();
    cancelled = !waited;
    co_return unexpected(waited.error());
}

TEST_F(CallOperationHome, IsWhereTheyRun) {
    std::thread::id there;
    group->run_on(1, [&] { there = std::this_thread::get_id(); });
    std::thread::id ran;
    const CallFunction function = [&ran](CallContext, Json input) {
        return give_back(ran, std::move(input));
    };
    EXPECT_EQ(call(function, "value").value(), Json("value"));
    EXPECT_EQ(ran, there);
    EXPECT_NE(ran, std::this_thread::get_id());
    EXPECT_THROW((void)call([](CallContext, Json) { return throw_it(); }), std::runtime_error);
    close();
    EXPECT_TRUE(call(function).error().is(causes::kShuttingDown));
}

TEST_F(CallOperationHome, OfACallerThereIsTheCallersLoop) {
    const auto here = OperationHome::create(*loop);
    std::thread::id ran;
    const CallFunction function = [&ran](CallContext, Json input) {
        return give_back(ran, std::move(input));
    };
    EXPECT_EQ(block_on(*loop, here->run(function, {}, 7)).value(), Json(7));
    EXPECT_EQ(ran, std::this_thread::get_id());
    block_on(*loop, here->close());
    close();
}

task<void> cancel_it(std::shared_ptr<OperationHome> home, Loop& loop, bool take_down,
                     std::optional<result<Json>>& outcome, bool& cancelled) {
    Event begun;
    const CallFunction function = [&](CallContext, Json) { return hang(loop, begun, cancelled); };
    const auto run = [](auto held, const CallFunction& what, auto& into) -> task<void> {
        into.emplace(co_await held->run(what, {}, {}));
    };
    std::optional<TaskScope> scope(loop);
    scope->spawn(run(home, function, outcome), "caller");
    co_await begun.wait_uncancellable();
    if (take_down) {
        scope.reset();  // where it waits
        co_return;
    }
    scope->cancel();
    (void)co_await scope->join();
}

TEST_F(CallOperationHome, CancelsWhatItsCallerNoLongerWants) {
    std::optional<result<Json>> outcome;
    bool cancelled = false;
    block_on(*loop, cancel_it(home, *loop, false, outcome, cancelled));
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->error().is(causes::kCancelled));
    EXPECT_TRUE(cancelled);
    close();
}

task<void> hold_all(std::shared_ptr<OperationHome> home, Loop& loop, result<Json>& one_more) {
    Event begun;
    bool cancelled = false;
    const CallFunction function = [&](CallContext, Json) { return hang(loop, begun, cancelled); };
    const auto run = [](auto held, const CallFunction& what) -> task<void> {
        (void)co_await held->run(what, {}, {});
    };
    TaskScope scope(loop);
    for (std::size_t i = 0; i < OperationHome::kErrandsMax; ++i) {
        scope.spawn(run(home, function), "caller");
    }
    co_await begun.wait_uncancellable();
    one_more = co_await home->run(function, {}, {});
    scope.cancel();
    (void)co_await scope.join();
}

TEST_F(CallOperationHome, HasRoomForSoManyFromOtherLoops) {
    result<Json> one_more;
    block_on(*loop, hold_all(home, *loop, one_more));
    ASSERT_FALSE(one_more);
    EXPECT_TRUE(one_more.error().is(causes::kLimit)) << one_more.error().message();
    std::thread::id ran;
    EXPECT_TRUE(call([&ran](CallContext, Json input) { return give_back(ran, std::move(input)); }));
    close();
}

}  // namespace
}  // namespace alknet::call
