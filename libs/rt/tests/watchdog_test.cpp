#include <gtest/gtest.h>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop_group.hpp>
#include <alknet/rt/watchdog.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <thread>

namespace alknet {
namespace {

using std::chrono::milliseconds;

TimePoint at(int ms) {
    return TimePoint(milliseconds(ms));
}

Loop::Pulse running(std::uint64_t step, const char* name) {
    return {.steps = step, .running = true, .name = name};
}
Loop::Pulse resting(std::uint64_t step) {
    return {.steps = step, .running = false, .name = "last"};
}

TEST(StallDetector, SaysWhoStallsAndWhenItIsOver) {
    StallDetector detector(milliseconds(200));
    EXPECT_FALSE(detector.look(running(1, "slow"), at(0)));
    EXPECT_FALSE(detector.look(running(1, "slow"), at(199)));
    const auto first = detector.look(running(1, "slow"), at(250));
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->over || first->again);
    EXPECT_STREQ(first->task, "slow");
    EXPECT_EQ(first->duration, milliseconds(250));
    EXPECT_FALSE(detector.look(running(1, "slow"), at(499)));
    const auto second = detector.look(running(1, "slow"), at(500));
    ASSERT_TRUE(second);
    EXPECT_TRUE(!second->over && second->again);
    const auto over = detector.look(resting(1), at(600));
    ASSERT_TRUE(over);
    EXPECT_TRUE(over->over);
    EXPECT_STREQ(over->task, "slow");
    EXPECT_EQ(over->duration, milliseconds(600));
    EXPECT_FALSE(detector.look(resting(1), at(700)));
}

TEST(StallDetector, ALoopThatIsBusyOrRestsDoesNotStall) {
    StallDetector detector(milliseconds(200));
    for (int i = 0; i < 100; ++i) {
        EXPECT_FALSE(detector.look(running(static_cast<std::uint64_t>(i), "busy"), at(i * 190)));
    }
    for (int i = 100; i < 200; ++i) {
        EXPECT_FALSE(detector.look(resting(100), at(i * 1000)));
    }
}

TEST(StallDetector, TheNextStallIsItsOwn) {
    StallDetector detector(milliseconds(200));
    EXPECT_FALSE(detector.look(running(1, "one"), at(0)));
    EXPECT_TRUE(detector.look(running(1, "one"), at(900)));
    EXPECT_TRUE(detector.look(running(2, "two"), at(1000))) << "one is over";
    EXPECT_FALSE(detector.look(running(2, "two"), at(1199)));
    const auto two = detector.look(running(2, "two"), at(1200));
    ASSERT_TRUE(two);
    EXPECT_STREQ(two->task, "two");
    EXPECT_FALSE(two->again);
}

task<void> blocks_until_seen(const sim::MemoryLogSink& sink) {
    (void)sink.wait_for("loop.stalled", "task", "sleepy handler");
    co_return;
}

TEST(Watchdog, NamesTheTaskThatStallsTheLoop) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    const auto sink = std::make_shared<sim::MemoryLogSink>();
    const auto metrics = std::make_shared<Metrics>();
    WatchdogOptions options;
    options.threshold = milliseconds(1);
    options.log = Log(sink);
    options.metrics = metrics;
    auto watchdog = *Watchdog::start(*loop, options);
    block_on(*loop, blocks_until_seen(*sink), "sleepy handler");
    const auto resumed = sink->wait_for("loop.resumed", "task", "sleepy handler");
    EXPECT_EQ(resumed.field("loop"), "main");
    watchdog.reset();
    const auto stalled = sink->wait_for("loop.stalled", "task", "sleepy handler");
    EXPECT_GE(std::stoi(stalled.field("ms")), 1);
    EXPECT_EQ(stalled.level, LogLevel::warn);
    EXPECT_GE(metrics->counters("alknet_loop_stalls_total", "", {"loop"}).with({"main"}).value(),
              1U);
}

TEST(Watchdog, SleepsWhileTheLoopRestsAndSeesWhatStallsItThen) {
    const SystemClock clock;
    const auto first = *Loop::create(clock);
    const auto group = *LoopGroup::start(*first, 2);
    Loop& loop = group->at(1);
    const auto sink = std::make_shared<sim::MemoryLogSink>();
    WatchdogOptions options;
    options.threshold = milliseconds(1);
    options.log = Log(sink);
    auto watchdog = *Watchdog::start(loop, options);
    for (int round = 0; round < 3; ++round) {
        while (!watchdog->asleep()) {
            std::this_thread::yield();
        }
        // A long stall is told more than once.
        const std::size_t resumed = sink->count("loop.resumed");
        loop.post([&sink] {
            const std::size_t stalled = sink->count("loop.stalled");
            while (sink->count("loop.stalled") == stalled) {
                std::this_thread::yield();
            }
        });
        while (sink->count("loop.resumed") == resumed) {
            std::this_thread::yield();
        }
    }
}

}  // namespace
}  // namespace alknet
