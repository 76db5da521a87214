#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>

namespace alknet {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

task<result<void>> sleeps(Loop& loop, Duration time) {
    co_return co_await loop.sleep(time);
}
task<result<void>> fails_after(Loop& loop, Duration time, const Cause& cause) {
    (void)co_await loop.sleep(time);
    co_return fail(cause, "deliberate");
}
task<void> throws_after(Loop& loop, Duration time) {
    (void)co_await loop.sleep(time);
    throw bug("deliberate");
}

ALKNET_CO_TEST(TaskScope, JoinWaitsForAll) {
    TaskScope scope(loop);
    const TimePoint start = loop.now();
    scope.spawn(sleeps(loop, seconds(3)), "long");
    scope.spawn(sleeps(loop, seconds(1)), "short");
    EXPECT_EQ(scope.size(), 2U);
    ALKNET_CO_ASSERT_OK(co_await scope.join());
    EXPECT_EQ(loop.now() - start, seconds(3));
    EXPECT_EQ(scope.size(), 0U);
    ALKNET_CO_ASSERT_OK(co_await scope.join());
}

ALKNET_CO_TEST(TaskScope, TheFirstErrorCancelsTheSiblingsAndIsWhatJoinGives) {
    TaskScope scope(loop);
    const TimePoint start = loop.now();
    scope.spawn(sleeps(loop, hours(1)), "sleeper");
    scope.spawn(fails_after(loop, seconds(2), causes::kProtocol), "first");
    scope.spawn(fails_after(loop, seconds(2), causes::kLimit), "second");
    const auto outcome = co_await scope.join();
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kProtocol));
    EXPECT_EQ(loop.now() - start, seconds(2));
    ALKNET_CO_ASSERT_OK(co_await scope.join());
}

ALKNET_CO_TEST(TaskScope, AnExceptionCancelsTheSiblingsAndComesOutOfJoin) {
    TaskScope scope(loop);
    scope.spawn(sleeps(loop, hours(1)), "sleeper");
    scope.spawn(throws_after(loop, seconds(1)), "thrower");
    bool caught = false;
    try {
        (void)co_await scope.join();
    } catch (const bug&) {
        caught = true;
    }
    EXPECT_TRUE(caught);
    EXPECT_EQ(scope.size(), 0U);
}

ALKNET_CO_TEST(TaskScope, CancellingTheJoinCancelsTheTasksAndAwaitsThem) {
    TaskScope scope(loop);  // no parent
    scope.spawn(sleeps(loop, hours(1)), "sleeper");
    const TimePoint start = loop.now();
    ALKNET_CO_ASSERT_OK(co_await with_timeout(seconds(5), scope.join()));
    EXPECT_EQ(loop.now() - start, seconds(5));
    EXPECT_TRUE(scope.token().requested());
}

ALKNET_CO_TEST(TaskScope, CancellingTheIdleWaitLeavesTheTasksAlone) {
    TaskScope scope(loop);
    scope.spawn(sleeps(loop, hours(1)), "sleeper");
    const auto outcome = co_await with_timeout(seconds(5), scope.idle());
    EXPECT_TRUE(!outcome && outcome.error().is(errc::timeout));
    EXPECT_FALSE(scope.token().requested());
    EXPECT_EQ(scope.size(), 1U);
    ALKNET_CO_ASSERT_OK(co_await scope.idle());
    EXPECT_EQ(scope.size(), 0U);
}

ALKNET_CO_TEST(TaskScope, WhatIsSpawnedAfterTheRequestStartsCancelled) {
    TaskScope scope(loop);
    scope.cancel();
    const TimePoint start = loop.now();
    scope.spawn(sleeps(loop, hours(1)), "sleeper");
    ALKNET_CO_ASSERT_OK(co_await scope.join());
    EXPECT_EQ(loop.now(), start);
}

ALKNET_CO_TEST(TaskScope, AParentThatIsRequestedCancelsIt) {
    Cancel parent;
    TaskScope scope(loop, &parent);
    scope.spawn(sleeps(loop, hours(1)), "sleeper");
    parent.request();
    const TimePoint start = loop.now();
    ALKNET_CO_ASSERT_OK(co_await scope.join());
    EXPECT_EQ(loop.now(), start);
}

task<void> spawns(Loop& loop, TaskScope& scope, int depth) {
    (void)co_await loop.sleep(seconds(1));
    if (depth > 0) {
        scope.spawn(spawns(loop, scope, depth - 1), "child");
        scope.spawn(spawns(loop, scope, depth - 1), "child");
    }
}

ALKNET_CO_TEST(TaskScope, TasksMaySpawnSiblingsWhileJoined) {
    TaskScope scope(loop);
    const TimePoint start = loop.now();
    scope.spawn(spawns(loop, scope, 4), "root");
    ALKNET_CO_ASSERT_OK(co_await scope.join());
    EXPECT_EQ(loop.now() - start, seconds(5));
}

ALKNET_CO_TEST(TaskScope, ADestroyedScopeDestroysItsTasksWhereTheyWait) {
    {
        TaskScope scope(loop);
        scope.spawn(sleeps(loop, hours(1)), "sleeper");
        (void)co_await loop.sleep(seconds(1));
        EXPECT_EQ(loop.task_names().size(), 2U);
    }
    EXPECT_EQ(loop.task_names(), (std::vector<std::string_view>{"test"}));
    EXPECT_EQ(loop.armed_timers(), 0U);
}

/// Owns the scope of tasks that own it.
struct Owner : std::enable_shared_from_this<Owner> {
    explicit Owner(Loop& l, bool& g) : loop(l), gone(g), scope(l) {}
    ~Owner() { gone = true; }
    static task<void> work(std::shared_ptr<Owner> self) {
        (void)co_await self->loop.sleep(seconds(1));
    }
    Loop& loop;
    bool& gone;
    TaskScope scope;
};

ALKNET_CO_TEST(TaskScope, ItsLastTaskMayHoldTheLastReferenceToItsOwner) {
    bool gone = false;
    auto owner = std::make_shared<Owner>(loop, gone);
    owner->scope.spawn(Owner::work(owner), "work");
    owner.reset();
    EXPECT_FALSE(gone);
    (void)co_await loop.sleep(seconds(2));
    EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace alknet
