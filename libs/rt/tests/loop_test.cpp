#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/idle_poller.hpp>
#include <alknet/testing/virtual_loop.hpp>
#include <random>
#include <stdexcept>

namespace alknet {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class VirtualLoopTest : public testing::Test {
protected:
    sim::VirtualLoop virtual_loop;
    Loop& loop = virtual_loop.loop();
    std::vector<int> log;
};

// ---- timers ----

class TimerTest : public VirtualLoopTest {};

TEST_F(TimerTest, FireInOrderOfTimeAndThenOfArming) {
    std::vector<std::unique_ptr<Timer>> timers;
    const std::vector<int> times = {5, 1, 3, 1, 4, 3};
    for (int i = 0; i < static_cast<int>(times.size()); ++i) {
        timers.push_back(std::make_unique<Timer>(loop, [this, i] { log.push_back(i); }));
        timers.back()->arm_after(seconds(times[static_cast<std::size_t>(i)]));
    }
    EXPECT_EQ(loop.next_deadline(), loop.now() + seconds(1));
    virtual_loop.advance(seconds(3));
    EXPECT_EQ(log, (std::vector{1, 3, 2, 5}));
    virtual_loop.advance(seconds(3));
    EXPECT_EQ(log, (std::vector{1, 3, 2, 5, 4, 0}));
    EXPECT_FALSE(loop.next_deadline());
}

TEST_F(TimerTest, RearmingMovesItAndDisarmingStopsIt) {
    Timer moved(loop, [this] { log.push_back(1); });
    Timer stopped(loop, [this] { log.push_back(2); });
    moved.arm_after(seconds(1));
    moved.arm_after(seconds(5));
    stopped.arm_after(seconds(2));
    stopped.disarm();
    stopped.disarm();
    virtual_loop.advance(seconds(4));
    EXPECT_TRUE(log.empty());
    EXPECT_TRUE(moved.armed());
    moved.arm_after(seconds(0));
    virtual_loop.settle();
    EXPECT_EQ(log, (std::vector{1}));
    EXPECT_FALSE(moved.armed());
}

TEST_F(TimerTest, MayRearmItselfWhileItFires) {
    std::optional<Timer> timer;
    timer.emplace(loop, [&] {
        log.push_back(1);
        if (log.size() < 3) {
            timer->arm_after(seconds(1));
        }
    });
    timer->arm_after(seconds(1));
    virtual_loop.advance(seconds(10));
    EXPECT_EQ(log.size(), 3U);
}

TEST_F(TimerTest, MayDestroyItselfAndOthersWhileItFires) {
    auto other = std::make_unique<Timer>(loop, [this] { log.push_back(2); });
    std::unique_ptr<Timer> self;
    const std::string captured = "long enough to live on the heap, so that a sanitizer sees it";
    self = std::make_unique<Timer>(loop, [&, captured] {
        self->arm_after(seconds(1));
        other.reset();
        self.reset();
        log.push_back(static_cast<int>(captured.size() > 10));
    });
    self->arm_after(seconds(1));
    other->arm_after(seconds(1));
    virtual_loop.advance(seconds(5));
    EXPECT_EQ(log, (std::vector{1}));
    EXPECT_EQ(loop.armed_timers(), 0U);
}

TEST_F(TimerTest, OneThatThrowsCanFireAgain) {
    Timer timer(loop, [this] {
        log.push_back(1);
        throw std::runtime_error("deliberate");
    });
    for (int round = 0; round < 2; ++round) {
        timer.arm_after(seconds(0));
        EXPECT_THROW(virtual_loop.settle(), std::runtime_error);
    }
    EXPECT_EQ(log.size(), 2U);
}

TEST_F(TimerTest, OneThatRearmsForNowDoesNotStarveTheRest) {
    std::optional<Timer> greedy;
    greedy.emplace(loop, [&] {
        if (log.size() < 3) {
            greedy->arm_after(seconds(0));
        }
        log.push_back(1);
    });
    greedy->arm_after(seconds(0));
    loop.post([&] { log.push_back(2); });
    loop.turn(false);
    EXPECT_EQ(log, (std::vector{2, 1}));
    loop.turn(false);
    EXPECT_EQ(log, (std::vector{2, 1, 1}));
}

TEST_F(TimerTest, ADelayTooLongToAddIsNever) {
    Timer timer(loop, [this] { log.push_back(1); });
    timer.arm_after(Duration::max());
    EXPECT_EQ(loop.next_deadline(), TimePoint::max());
    virtual_loop.advance(hours(24));
    EXPECT_TRUE(log.empty());
}

TEST_F(TimerTest, TheHeapKeepsItsOrderUnderRandomUse) {
    std::mt19937 random(4);
    std::multimap<std::pair<Duration, int>, int> expected;
    std::vector<std::unique_ptr<Timer>> timers;
    constexpr int kTimers = 300;
    for (int i = 0; i < kTimers; ++i) {
        timers.push_back(std::make_unique<Timer>(loop, [this, i] { log.push_back(i); }));
    }
    std::vector<std::pair<Duration, int>> keys(kTimers);
    int order = 0;
    for (int step = 0; step < 5000; ++step) {
        const auto i = random() % kTimers;
        if (random() % 3 == 0) {
            timers[i]->disarm();
        } else {
            const Duration when = seconds(random() % 50);
            timers[i]->arm_after(when);
            keys[i] = {when, ++order};
        }
    }
    for (std::size_t i = 0; i < timers.size(); ++i) {
        if (timers[i]->armed()) {
            expected.emplace(keys[i], static_cast<int>(i));
        }
    }
    virtual_loop.advance(seconds(100));
    std::vector<int> order_of_firing;
    for (const auto& [key, i] : expected) {
        order_of_firing.push_back(i);
    }
    EXPECT_EQ(log, order_of_firing);
}

TEST(Timer, MayOutliveItsLoop) {
    const sim::VirtualClock clock;
    auto loop = std::make_unique<Loop>(clock, std::make_unique<sim::IdlePoller>());
    Timer timer(*loop, [] {});
    timer.arm_after(seconds(1));
    loop.reset();
    EXPECT_FALSE(timer.armed());
}

// ---- posted functions, ready coroutines, flush hooks ----

class LoopTest : public VirtualLoopTest {};

TEST_F(LoopTest, PostedFunctionsRunInOrderInALaterTurn) {
    loop.post([this] {
        log.push_back(1);
        loop.post([this] { log.push_back(3); });
    });
    loop.post([this] { log.push_back(2); });
    loop.turn(false);
    EXPECT_EQ(log, (std::vector{1, 2}));
    loop.turn(false);
    EXPECT_EQ(log, (std::vector{1, 2, 3}));
}

TEST_F(LoopTest, AnExceptionOfAPostedFunctionLosesNoneOfTheOthers) {
    loop.post([this] { log.push_back(1); });
    loop.post([] { throw std::runtime_error("deliberate"); });
    loop.post([this] { log.push_back(2); });
    EXPECT_THROW(loop.turn(false), std::runtime_error);
    loop.post([this] { log.push_back(3); });
    loop.turn(false);
    EXPECT_EQ(log, (std::vector{1, 2, 3}));
}

TEST_F(LoopTest, WhatIsPostedAndNeverRunIsDestroyed) {
    const auto held = std::make_shared<int>(1);
    {
        const sim::VirtualClock clock;
        Loop mortal(clock, std::make_unique<sim::IdlePoller>());
        mortal.post([held] {});
        EXPECT_EQ(held.use_count(), 2);
    }
    EXPECT_EQ(held.use_count(), 1);
}

TEST_F(LoopTest, AFullInboxIsABug) {
    for (std::size_t i = 0; i < Loop::kInboxMax; ++i) {
        loop.post([] {});
    }
    EXPECT_THROW(loop.post([] {}), bug);
    loop.turn(false);
    loop.post([] {});
}

TEST_F(LoopTest, CannotBeRunFromWithin) {
    loop.post([this] { loop.turn(false); });
    EXPECT_THROW(loop.turn(false), bug);
    loop.turn(false);
}

struct Yielder {
    static task<void> run(Loop& loop, std::vector<int>& log, int name, int times) {
        for (int i = 0; i < times; ++i) {
            log.push_back(name);
            co_await loop.yield();
        }
    }
};

TEST_F(LoopTest, YieldTakesTurns) {
    TaskScope scope(loop);
    scope.spawn(Yielder::run(loop, log, 1, 3), "one");
    scope.spawn(Yielder::run(loop, log, 2, 2), "two");
    loop.run_until_idle();
    EXPECT_EQ(log, (std::vector{1, 2, 1, 2, 1}));
}

TEST_F(LoopTest, ATurnRunsNoMoreThanItsBudget) {
    TaskScope scope(loop);
    scope.spawn(Yielder::run(loop, log, 1, static_cast<int>(Loop::kReadyBudget) * 2), "busy");
    bool fired = false;
    Timer timer(loop, [&fired] { fired = true; });
    loop.turn(false);
    EXPECT_GT(log.size(), 0U);
    EXPECT_LE(log.size(), Loop::kReadyBudget);
    timer.arm_after(seconds(0));
    loop.turn(false);
    EXPECT_TRUE(fired);
}

class Flusher final : public FlushHook {
public:
    Flusher(Loop& loop, std::vector<int>& log, int again) : loop_(loop), log_(log), again_(again) {}
    void flush() noexcept override {
        log_.push_back(static_cast<int>(again_));
        if (again_-- > 0) {
            loop_.request_flush(*this);
        }
    }

private:
    Loop& loop_;
    std::vector<int>& log_;
    int again_;
};

TEST_F(LoopTest, FlushHooksRunOnceATurnAfterEverythingElse) {
    Flusher flusher(loop, log, 0);
    Flusher persistent(loop, log, 2);
    loop.request_flush(flusher);
    loop.request_flush(flusher);
    loop.request_flush(persistent);
    loop.post([this] { log.push_back(9); });
    loop.turn(false);
    EXPECT_EQ(log, (std::vector{9, 0, 2}));
    loop.run_until_idle();
    EXPECT_EQ(log, (std::vector{9, 0, 2, 1, 0}));
}

TEST_F(LoopTest, AFlushHookThatDiesIsNotCalled) {
    auto flusher = std::make_unique<Flusher>(loop, log, 0);
    loop.request_flush(*flusher);
    flusher.reset();
    loop.turn(false);
    EXPECT_TRUE(log.empty());
}

TEST_F(LoopTest, NamesAreKeptUpToALimit) {
    const char* first = loop.intern("first");
    EXPECT_EQ(loop.intern("first"), first);
    for (std::size_t i = 1; i < Loop::kNamesMax; ++i) {
        EXPECT_STREQ(loop.intern("name" + std::to_string(i)), ("name" + std::to_string(i)).c_str());
    }
    EXPECT_STREQ(loop.intern("one more"), "other");
    EXPECT_STREQ(loop.intern("first"), "first");
}

struct PulseProbe {
    static task<void> run(Loop& loop, Loop::Pulse& seen) {
        seen = loop.pulse();
        co_return;
    }
};

TEST_F(LoopTest, ThePulseTellsWhatRuns) {
    Loop::Pulse in_task;
    Loop::Pulse in_post;
    Loop::Pulse in_timer;
    TaskScope scope(loop);
    scope.spawn(PulseProbe::run(loop, in_task), "probe");
    loop.post([&] { in_post = loop.pulse(); });
    Timer timer(loop, [&] { in_timer = loop.pulse(); });
    timer.arm_after(seconds(0));
    loop.turn(false);
    EXPECT_STREQ(in_task.name, "probe");
    EXPECT_STREQ(in_post.name, "(posted)");
    EXPECT_STREQ(in_timer.name, "(timer)");
    EXPECT_TRUE(in_task.running && in_post.running && in_timer.running);
    EXPECT_LT(in_post.steps, in_timer.steps);
    EXPECT_LT(in_timer.steps, in_task.steps);
    EXPECT_FALSE(loop.pulse().running);
}

struct Sleeper {
    static task<void> run(Loop& loop, Duration time, std::optional<result<void>>& outcome) {
        outcome = co_await loop.sleep(time);
    }
};

TEST_F(LoopTest, SleepEndsOnTimeOrWhenCancelled) {
    std::optional<result<void>> slept;
    std::optional<result<void>> cancelled;
    TaskScope scope(loop);
    TaskScope other(loop);
    scope.spawn(Sleeper::run(loop, seconds(3), slept), "sleeper");
    other.spawn(Sleeper::run(loop, Duration::max(), cancelled), "sleeper");
    virtual_loop.advance(seconds(2));
    EXPECT_FALSE(slept);
    virtual_loop.advance(seconds(1));
    EXPECT_TRUE(slept && *slept);
    EXPECT_FALSE(cancelled);
    other.cancel();
    virtual_loop.settle();
    EXPECT_TRUE(cancelled && !*cancelled && cancelled->error().is(errc::cancelled));
}

TEST(SystemLoop, StopEndsTheRunAndOnlyOne) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    int turns = 0;
    loop->post([&] {
        ++turns;
        loop->stop();
    });
    loop->run();
    EXPECT_EQ(turns, 1);
    loop->post([&] {
        ++turns;
        loop->stop();
    });
    loop->run();
    EXPECT_EQ(turns, 2);
}

TEST(SystemLoop, RealTimersFire) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    const TimePoint start = clock.now();
    const auto outcome = block_on(*loop, loop->sleep(std::chrono::microseconds(300)));
    EXPECT_TRUE(outcome);
    EXPECT_GE(clock.now() - start, std::chrono::microseconds(300));
    EXPECT_GE(clock.suspended(), Duration::zero());
    EXPECT_GT(clock.wall_now(), WallTime(std::chrono::sys_days(std::chrono::year(2020) / 1 / 1)));
}

}  // namespace
}  // namespace alknet
