#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/rt/combine.hpp>
#include <string>

namespace alknet {
namespace {

using std::chrono::milliseconds;

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

class LoopTest : public testing::Test {
protected:
    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
};

TEST_F(LoopTest, ManyChildrenThatNeverSuspendKeepTheStackFlat) {
    EXPECT_EQ(block_on(*loop, sum_of_leaves(200'000)), 200'000);
}

task<int> failing() {
    throw bug("deliberate");
    co_return 1;
}

TEST_F(LoopTest, AnExceptionComesOutOfBlockOn) {
    EXPECT_THROW(block_on(*loop, failing()), bug);
}

task<result<void>> sleeps_for_ever(Loop& loop) {
    co_return co_await loop.sleep(std::chrono::hours(1));
}

TEST_F(LoopTest, ATimeoutCancelsAndSaysTimeout) {
    const auto outcome = block_on(*loop, with_timeout(milliseconds(1), sleeps_for_ever(*loop)));
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(errc::timeout));
}

task<result<void>> fails_soon() {
    co_return fail(causes::kProtocol, "deliberate");
}

task<result<void>> scope_of_two(Loop& loop) {
    TaskScope scope(loop);
    scope.spawn(sleeps_for_ever(loop), "sleeper");
    scope.spawn(fails_soon(), "failer");
    co_return co_await scope.join();
}

TEST_F(LoopTest, TheFirstErrorCancelsTheSiblingsAndIsWhatJoinGives) {
    const auto outcome = block_on(*loop, scope_of_two(*loop));
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kProtocol));
}

task<void> goes_on_for_ever(Loop& loop) {
    for (;;) {
        (void)co_await loop.sleep(std::chrono::hours(1));
    }
}

task<result<void>> lets_one_go_on(Loop& loop) {
    TaskScope scope(loop);
    scope.spawn(goes_on_for_ever(loop), "stubborn");
    scope.cancel();
    co_await loop.yield();
    // The scope takes it down where it waits.
    co_return result<void>{};
}

TEST_F(LoopTest, ATaskThatGoesOnThoughCancelledLeavesTheLoopToOthers) {
    EXPECT_TRUE(block_on(*loop, lets_one_go_on(*loop)));
}

}  // namespace
}  // namespace alknet
