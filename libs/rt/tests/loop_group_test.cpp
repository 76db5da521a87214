#include <gtest/gtest.h>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop_group.hpp>
#include <atomic>
#include <stdexcept>
#include <thread>

namespace alknet {
namespace {

class LoopGroupTest : public testing::Test {
protected:
    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
};

TEST_F(LoopGroupTest, EachLoopHasItsThread) {
    constexpr std::size_t kLoops = 4;
    const auto group = LoopGroup::start(*loop, kLoops);
    ASSERT_TRUE(group) << group.error().message();
    ASSERT_EQ((*group)->size(), kLoops);
    EXPECT_EQ(&(*group)->at(0), loop.get());
    std::vector<std::thread::id> threads;
    for (std::size_t i = 0; i < kLoops; ++i) {
        (*group)->run_on(i, [&] {
            EXPECT_EQ(std::ranges::count(threads, std::this_thread::get_id()), 0);
            threads.push_back(std::this_thread::get_id());
        });
    }
    EXPECT_EQ(threads.size(), kLoops);
    EXPECT_EQ(threads.front(), std::this_thread::get_id());
}

TEST_F(LoopGroupTest, ExceptionsComeBack) {
    const auto group = *LoopGroup::start(*loop, 2);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_THROW(group->run_on(i, [] { throw std::runtime_error("a bug"); }),
                     std::runtime_error);
    }
}

TEST_F(LoopGroupTest, TheMostThatThereMayBe) {
    const auto group = LoopGroup::start(*loop, LoopGroup::kLoopsMax);
    ASSERT_TRUE(group);
    EXPECT_THROW((void)LoopGroup::start(*loop, LoopGroup::kLoopsMax + 1), std::logic_error);
    EXPECT_THROW((void)LoopGroup::start(*loop, 0), std::logic_error);
}

TEST_F(LoopGroupTest, WhatWasPostedBeforeTheEndDiesWithItsLoop) {
    const auto alive = std::make_shared<int>();
    {
        const auto group = *LoopGroup::start(*loop, 3);
        for (std::size_t i = 1; i < 3; ++i) {
            for (int n = 0; n < 1000; ++n) {
                group->at(i).post([alive] { (void)alive; });
            }
        }
    }
    EXPECT_EQ(alive.use_count(), 1);
}

}  // namespace
}  // namespace alknet
