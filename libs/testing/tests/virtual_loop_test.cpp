#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>

namespace alknet::sim {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

ALKNET_CO_TEST(CoTest, AnHourTakesNoTime) {
    const TimePoint start = loop.now();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(hours(1)));
    EXPECT_EQ(loop.now() - start, hours(1));
    EXPECT_EQ(clock.now(), loop.now());
    ALKNET_CO_ASSERT(virtual_loop.leftovers() == "tasks left: test");
}

task<void> waits_for_nothing(VirtualLoop&, Loop&, VirtualClock&) {
    Event never;
    (void)co_await never.wait();
}

TEST(CoTest, ABodyThatIsStuckFails) {
    EXPECT_NONFATAL_FAILURE(run_co_test(waits_for_nothing), "stuck");
}

task<void> throws(VirtualLoop&, Loop& loop, VirtualClock&) {
    (void)co_await loop.sleep(seconds(1));
    throw bug("deliberate");
}

TEST(CoTest, ABodyThatThrowsFails) {
    EXPECT_NONFATAL_FAILURE(run_co_test(throws), "deliberate");
}

task<void> asserts(VirtualLoop&, Loop&, VirtualClock&) {
    ALKNET_CO_ASSERT(1 + 1 == 3);
    ADD_FAILURE() << "not reached";
}

TEST(CoTest, AFalseAssertionEndsTheBody) {
    EXPECT_NONFATAL_FAILURE(run_co_test(asserts), "1 + 1 == 3");
}

task<void> asserts_ok(VirtualLoop&, Loop& loop, VirtualClock&) {
    ALKNET_CO_ASSERT_OK(co_await with_timeout(seconds(1), loop.sleep(hours(1))));
    ADD_FAILURE() << "not reached";
}

TEST(CoTest, AnErrorEndsTheBodyAndIsShown) {
    EXPECT_NONFATAL_FAILURE(run_co_test(asserts_ok), "E-TIMEOUT");
}

task<void> sleeps(Loop& loop) {
    (void)co_await loop.sleep(hours(1));
}

TEST(VirtualLoop, KnowsWhatIsLeft) {
    VirtualLoop virtual_loop;
    EXPECT_EQ(virtual_loop.leftovers(), "");
    TaskScope scope(virtual_loop.loop());
    scope.spawn(sleeps(virtual_loop.loop()), "sleeper");
    EXPECT_EQ(virtual_loop.leftovers(), "tasks left: sleeper");
    virtual_loop.settle();
    EXPECT_EQ(virtual_loop.leftovers(), "tasks left: sleeper; 1 timers left");
    virtual_loop.advance(hours(1));
    EXPECT_EQ(virtual_loop.leftovers(), "");
}

TEST(VirtualLoop, ATaskThatTakesTooLongIsGivenUp) {
    VirtualLoop virtual_loop;
    EXPECT_FALSE(virtual_loop.run(sleeps(virtual_loop.loop()), seconds(10)));
    EXPECT_EQ(virtual_loop.leftovers(), "");
    EXPECT_TRUE(virtual_loop.run(sleeps(virtual_loop.loop())));
}

TEST(VirtualClock, SuspendAndStepsMoveTheWallAlone) {
    VirtualClock clock;
    const TimePoint start = clock.now();
    const WallTime wall = clock.wall_now();
    clock.suspend(seconds(60));
    EXPECT_EQ(clock.now(), start);
    EXPECT_EQ(clock.wall_now(), wall + seconds(60));
    EXPECT_EQ(clock.suspended(), seconds(60));
    clock.step_wall(-seconds(100));
    EXPECT_EQ(clock.wall_now(), wall - seconds(40));
    clock.advance(seconds(5));
    EXPECT_EQ(clock.now(), start + seconds(5));
    EXPECT_EQ(clock.wall_now(), wall - seconds(35));
    clock.advance_to(start);
    EXPECT_EQ(clock.now(), start + seconds(5));
}

}  // namespace
}  // namespace alknet::sim
