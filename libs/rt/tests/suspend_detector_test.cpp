#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/suspend_detector.hpp>
#include <alknet/testing/co_test.hpp>

namespace alknet {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

task<void> assign(result<TimeJump>& to, task<result<TimeJump>> from) {
    to = co_await std::move(from);
}

ALKNET_CO_TEST(SuspendDetector, TellsHowLongTheMachineSlept) {
    SuspendDetector detector(loop);
    Timer lid(loop, [&clock] { clock.suspend(hours(8)); });
    lid.arm_after(seconds(5));
    const TimePoint start = loop.now();
    const auto jump = co_await detector.next();
    ALKNET_CO_ASSERT_OK(jump);
    EXPECT_EQ(*jump, (TimeJump{.suspended = hours(8), .wall_step = {}}));
    EXPECT_LE(loop.now() - start, seconds(7));
}

ALKNET_CO_TEST(SuspendDetector, TellsByHowMuchTheClockWasSet) {
    SuspendDetector detector(loop);
    for (const Duration step : {Duration(hours(-2)), Duration(seconds(1))}) {
        Timer admin(loop, [&clock, step] { clock.step_wall(step); });
        admin.arm_after(seconds(3));
        const auto jump = co_await detector.next();
        ALKNET_CO_ASSERT_OK(jump);
        EXPECT_EQ(*jump, (TimeJump{.suspended = {}, .wall_step = step}));
    }
}

ALKNET_CO_TEST(SuspendDetector, TellsWhatHappenedWhileNobodyAwaited) {
    SuspendDetector detector(loop);
    clock.suspend(seconds(30));
    clock.step_wall(seconds(10));
    const TimePoint start = loop.now();
    const auto jump = co_await detector.next();
    ALKNET_CO_ASSERT_OK(jump);
    EXPECT_EQ(*jump, (TimeJump{.suspended = seconds(30), .wall_step = seconds(10)}));
    EXPECT_EQ(loop.now(), start);
}

ALKNET_CO_TEST(SuspendDetector, SmallAndCreepingChangesAreNone) {
    SuspendDetector detector(loop);
    std::optional<Timer> drift;
    drift.emplace(loop, [&] {
        clock.step_wall(milliseconds(50));
        clock.suspend(milliseconds(20));
        drift->arm_after(milliseconds(500));
    });
    drift->arm_after(milliseconds(500));
    const auto jump = co_await with_timeout(hours(1), detector.next());
    EXPECT_TRUE(!jump && jump.error().is(causes::kTimeout));
}

TEST(SuspendDetector, WakesUpForNothingWhenTheSystemTells) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    const auto detector = *SuspendDetector::told(*loop);
    TaskScope scope(*loop);
    result<TimeJump> told;
    scope.spawn(assign(told, detector->next()), "told");
    loop->turn(false);
    EXPECT_EQ(loop->armed_timers(), 0U);
    scope.cancel();
    (void)block_on(*loop, scope.join());
    EXPECT_TRUE(!told && told.error().is(causes::kCancelled));
}

}  // namespace
}  // namespace alknet
