#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>
#include <memory>
#include <string>

namespace alknet {
namespace {

using std::chrono::seconds;

task<int> leaf(int n) {
    co_return n;
}

task<std::int64_t> sum_of_leaves(int count) {
    std::int64_t sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += co_await leaf(1);
    }
    co_return sum;
}

ALKNET_CO_TEST(Task, ManyChildrenThatNeverSuspendKeepTheStackFlat) {
    EXPECT_EQ(co_await sum_of_leaves(200'000), 200'000);
}

task<int> nested(int depth) {
    if (depth == 0) {
        co_return 0;
    }
    co_return 1 + co_await nested(depth - 1);
}

ALKNET_CO_TEST(Task, ValuesComeUpThroughManyLevels) {
    EXPECT_EQ(co_await nested(500), 500);
}

task<int> failing(Loop& loop, Duration delay) {
    (void)co_await loop.sleep(delay);
    throw bug("deliberate");
}

ALKNET_CO_TEST(Task, AnExceptionComesOutOfTheAwait) {
    for (const Duration delay : {Duration::zero(), Duration(seconds(1))}) {
        bool caught = false;
        try {
            (void)co_await failing(loop, delay);
        } catch (const bug&) {
            caught = true;
        }
        EXPECT_TRUE(caught);
    }
}

task<std::unique_ptr<int>> moves(std::unique_ptr<int> value) {
    co_return value;
}

ALKNET_CO_TEST(Task, ValuesThatOnlyMoveAreFine) {
    const auto value = co_await moves(std::make_unique<int>(7));
    EXPECT_EQ(*value, 7);
}

task<result<int>> braces(bool good) {
    if (good) {
        co_return 5;
    }
    co_return fail(causes::kProtocol, "deliberate");
}
task<result<void>> empty_braces() {
    co_return {};
}

ALKNET_CO_TEST(Task, ResultsAreReturnedAsValuesErrorsOrBraces) {
    EXPECT_EQ((co_await braces(true)).value_or(0), 5);
    const auto failed = co_await braces(false);
    EXPECT_TRUE(!failed && failed.error().is(causes::kProtocol));
    EXPECT_TRUE(co_await empty_braces());
}

ALKNET_CO_TEST(Task, IsAwaitedOnce) {
    task<int> once = leaf(3);
    EXPECT_TRUE(static_cast<bool>(once));
    EXPECT_EQ(co_await std::move(once), 3);
    bool caught = false;
    try {
        (void)co_await std::move(once);  // NOLINT(bugprone-use-after-move): the point of the test
    } catch (const bug&) {
        caught = true;
    }
    EXPECT_TRUE(caught);
}

/// Says when it dies.
struct Witness {
    explicit Witness(std::string& log_, char name_) : log(log_), name(name_) {}
    Witness(const Witness&) = delete;
    Witness& operator=(const Witness&) = delete;
    ~Witness() { log += name; }
    std::string& log;
    char name;
};

task<void> inner(Loop& loop, std::string& log) {
    const Witness witness(log, 'i');
    (void)co_await loop.sleep(seconds(10));
    log += '!';
}
task<void> outer(Loop& loop, std::string& log) {
    const Witness witness(log, 'o');
    co_await inner(loop, log);
    log += '!';
}

TEST(TaskDeath, ASuspendedChainDiesFromTheInsideOut) {
    sim::VirtualLoop virtual_loop;
    std::string log;
    {
        TaskScope scope(virtual_loop.loop());
        scope.spawn(outer(virtual_loop.loop(), log), "outer");
        virtual_loop.settle();
        EXPECT_EQ(log, "");
    }
    EXPECT_EQ(log, "io");
    EXPECT_EQ(virtual_loop.leftovers(), "");
}

TEST(TaskDeath, AReadyChainDiesToo) {
    sim::VirtualLoop virtual_loop;
    Loop& loop = virtual_loop.loop();
    std::string log;
    auto scope = std::make_unique<TaskScope>(loop);
    scope->spawn(outer(loop, log), "outer");
    virtual_loop.settle();
    // The first timer destroys the scope after the second has made its task ready.
    Timer destroyer(loop, [&] { loop.post([&] { scope.reset(); }); });
    destroyer.arm_after(seconds(10));
    virtual_loop.advance(seconds(9));
    EXPECT_EQ(log, "");
    scope->cancel();  // ready, and not yet run
    scope.reset();
    EXPECT_EQ(log, "io");
    virtual_loop.advance(seconds(2));
}

TEST(TaskDeath, ATaskThatNeverStartedDies) {
    sim::VirtualLoop virtual_loop;
    std::string log;
    {
        const task<void> unused = outer(virtual_loop.loop(), log);
    }
    EXPECT_EQ(log, "");
    {
        TaskScope scope(virtual_loop.loop());
        scope.spawn(outer(virtual_loop.loop(), log), "outer");
    }
    EXPECT_EQ(log, "");
    virtual_loop.settle();
}

task<void> steps(std::string& log, WaitList& list, char name) {
    (void)co_await list.wait();
    log += name;
}
task<void> awaits_steps(std::string& log, WaitList& list, char name) {
    co_await steps(log, list, name);
    log += static_cast<char>(name - 'a' + 'A');
}

TEST(TaskOrder, WhatAwaitsOneAnotherRunsOnBeforeAnythingElse) {
    sim::VirtualLoop virtual_loop;
    std::string log;
    WaitList list;
    TaskScope scope(virtual_loop.loop());
    scope.spawn(awaits_steps(log, list, 'a'), "a");
    scope.spawn(awaits_steps(log, list, 'b'), "b");
    virtual_loop.settle();
    list.wake_all();
    virtual_loop.settle();
    EXPECT_EQ(log, "aAbB");
}

task<void> goes_on_for_ever(Loop& loop) {
    for (;;) {
        (void)co_await loop.sleep(std::chrono::hours(1));
    }
}

ALKNET_CO_TEST(Task, OneThatGoesOnThoughCancelledLeavesTheLoopToOthers) {
    TaskScope scope(loop);
    scope.spawn(goes_on_for_ever(loop), "stubborn");
    scope.cancel();
    for (int i = 0; i < 10; ++i) {
        co_await loop.yield();
    }
    // The scope takes it down where it waits.
}

task<result<void>> ends_at_once() {
    co_return result<void>{};
}

task<void> never_waits() {
    for (;;) {
        (void)co_await ends_at_once();
    }
}

ALKNET_CO_TEST(Task, OneWhoseAwaitsNeverWaitLeavesTheLoopToOthers) {
    TaskScope scope(loop);
    scope.spawn(never_waits(), "stubborn");
    for (int i = 0; i < 10; ++i) {
        co_await loop.yield();
    }
}

}  // namespace
}  // namespace alknet
