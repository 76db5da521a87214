#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/rt/blocking_pool.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/gather.hpp>
#include <alknet/testing/co_test.hpp>
#include <latch>
#include <thread>

namespace alknet {
namespace {

using std::chrono::milliseconds;

class BlockingPoolTest : public testing::Test {
protected:
    static BlockingPoolOptions options(std::size_t threads, std::size_t queue_max) {
        BlockingPoolOptions made;
        made.threads = threads;
        made.queue_max = queue_max;
        return made;
    }
    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::unique_ptr<BlockingPool> pool = *BlockingPool::create(options(2, 4));
};

/// Runs `function` of any type: block_on needs a task that owns it.
template <class F>
auto run_in(BlockingPool& pool, F function) {
    return pool.run(std::move(function));
}

TEST_F(BlockingPoolTest, RunsOnAnotherThreadAndGivesWhatTheFunctionReturns) {
    const auto id = block_on(*loop, run_in(*pool, [] { return std::this_thread::get_id(); }));
    ASSERT_TRUE(id);
    EXPECT_NE(*id, std::this_thread::get_id());
    const auto failed =
        block_on(*loop, run_in(*pool, []() -> result<int> { return fail(causes::kResolve); }));
    EXPECT_TRUE(!failed && failed.error().is(causes::kResolve));
    EXPECT_TRUE(block_on(*loop, run_in(*pool, [] {})));
    auto owned = std::make_unique<int>(4);
    const auto moved = block_on(
        *loop, run_in(*pool, [owned = std::move(owned)]() mutable { return std::move(owned); }));
    EXPECT_EQ(**moved, 4);
}

TEST_F(BlockingPoolTest, WhatTheFunctionThrowsComesOut) {
    EXPECT_THROW((void)block_on(*loop, run_in(*pool, []() -> int { throw bug("deliberate"); })),
                 bug);
}

/// A function that waits until it is released, and tells that it has begun.
struct Gate {
    std::latch begun{1};
    std::latch released{1};
    std::atomic<bool> ended = false;
};
auto waits_at(std::shared_ptr<Gate> gate) {
    return [gate = std::move(gate)] {
        gate->begun.count_down();
        gate->released.wait();
        gate->ended = true;
        return 1;
    };
}

TEST_F(BlockingPoolTest, AWaiterThatIsCancelledDoesNotWaitForTheFunction) {
    const auto gate = std::make_shared<Gate>();
    const auto outcome =
        block_on(*loop, with_timeout(milliseconds(1), run_in(*pool, waits_at(gate))));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kTimeout));
    EXPECT_FALSE(gate->ended);
    gate->released.count_down();
    pool.reset();
    EXPECT_EQ(gate.use_count(), 2) << "the function dies on the loop";
    loop->turn(false);
    EXPECT_EQ(gate.use_count(), 1);
}

TEST_F(BlockingPoolTest, AWaiterThatIsDestroyedDoesNoHarm) {
    const auto gate = std::make_shared<Gate>();
    {
        struct Waiter {
            static task<void> on(BlockingPool& pool, std::shared_ptr<Gate> gate) {
                (void)co_await pool.run(waits_at(std::move(gate)));
            }
        };
        TaskScope scope(*loop);
        scope.spawn(Waiter::on(*pool, gate), "waiter");
        loop->turn(false);
        gate->begun.wait();
    }
    gate->released.count_down();
    pool.reset();
    EXPECT_TRUE(gate->ended);
    loop->turn(false);
    EXPECT_EQ(gate.use_count(), 1);
}

TEST_F(BlockingPoolTest, TheQueueIsBoundedAndItsEndCancelsWhatHasNotBegun) {
    pool = *BlockingPool::create(options(1, 2));
    const auto gate = std::make_shared<Gate>();
    struct Runner {
        static task<void> run(BlockingPool& pool, std::shared_ptr<Gate> gate, bool wait,
                              std::vector<std::string_view>& ended) {
            auto function = [gate, wait] {
                gate->begun.count_down(wait ? 1 : 0);
                if (wait) {
                    gate->released.wait();
                }
            };
            const auto outcome = co_await pool.run(std::move(function));
            ended.push_back(outcome ? "ok" : outcome.error().cause().id);
        }
    };
    std::vector<std::string_view> ended;
    TaskScope scope(*loop);
    scope.spawn(Runner::run(*pool, gate, true, ended), "running");
    loop->turn(false);
    gate->begun.wait();
    for (int i = 0; i < 3; ++i) {
        scope.spawn(Runner::run(*pool, gate, false, ended), "queued");
    }
    loop->turn(false);
    EXPECT_EQ(pool->queued(), 2U);
    EXPECT_EQ(ended, (std::vector<std::string_view>{"E-LIMIT"}));
    std::thread releaser([gate] { gate->released.count_down(); });
    pool.reset();
    releaser.join();
    EXPECT_TRUE(block_on(*loop, scope.join()));
    EXPECT_EQ(ended.size(), 4U);
    EXPECT_EQ(std::ranges::count(ended, "E-CANCELLED") + std::ranges::count(ended, "ok"), 3);
}

TEST_F(BlockingPoolTest, WhatIsAbandonedBeforeItBeginsNeverDoes) {
    pool = *BlockingPool::create(options(1, 4));
    const auto gate = std::make_shared<Gate>();
    TaskScope scope(*loop);
    struct Waiter {
        static task<void> on(BlockingPool& pool, std::shared_ptr<Gate> gate) {
            (void)co_await pool.run(waits_at(std::move(gate)));
        }
    };
    scope.spawn(Waiter::on(*pool, gate), "holds the thread");
    loop->turn(false);
    gate->begun.wait();
    std::atomic<bool> ran = false;
    const auto late =
        block_on(*loop, with_timeout(milliseconds(1), run_in(*pool, [&ran] { ran = true; })));
    EXPECT_TRUE(!late && late.error().is(causes::kTimeout));
    gate->released.count_down();
    EXPECT_TRUE(block_on(*loop, run_in(*pool, [] {})));
    EXPECT_FALSE(ran);
    EXPECT_TRUE(block_on(*loop, scope.join()));
}

TEST_F(BlockingPoolTest, BelowARequestNothingIsSubmitted) {
    Cancel cancel;
    cancel.request();
    std::atomic<bool> ran = false;
    const auto outcome = block_on(*loop, run_in(*pool, [&ran] { ran = true; }).under(cancel));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kCancelled));
    pool.reset();
    EXPECT_FALSE(ran);
}

task<result<int>> value_of(BlockingPool& pool, int value) {
    co_return co_await pool.run([value] { return value; });
}

ALKNET_CO_TEST(BlockingPoolWithoutThreads, RunsOnTheLoopInALaterTurn) {
    BlockingPoolOptions options;
    options.threads = 0;
    options.queue_max = 2;
    auto pool = *BlockingPool::create(options);
    const auto id = co_await pool->run([] { return std::this_thread::get_id(); });
    ALKNET_CO_ASSERT_OK(id);
    EXPECT_EQ(*id, std::this_thread::get_id());
    const auto both = co_await gather(value_of(*pool, 1), value_of(*pool, 2));
    ALKNET_CO_ASSERT_OK(both);
    EXPECT_EQ(*both, std::tuple(1, 2));
    const auto three = co_await gather(value_of(*pool, 1), value_of(*pool, 2), value_of(*pool, 3));
    EXPECT_TRUE(!three && three.error().is(causes::kLimit));
    EXPECT_EQ(three.error().detail(), "blocking queue_max = 2");
    TaskScope scope(loop);
    std::vector<task<result<int>>> works;
    works.push_back(value_of(*pool, 1));
    Timer ender(loop, [&pool] { pool.reset(); });
    ender.arm_after(Duration::zero());
    (void)co_await gather(std::move(works));
}

}  // namespace
}  // namespace alknet
