// What threads may do to a loop, for the thread sanitizer to watch.
#include <gtest/gtest.h>
#include <alknet/rt/blocking_pool.hpp>
#include <alknet/rt/channel.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/snapshot.hpp>
#include <thread>

namespace alknet {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 500;

TEST(Threads, MayPostToALoop) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    int ran = 0;  // the loop's
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < kRounds; ++i) {
                loop->post([&] {
                    if (++ran == kThreads * kRounds) {
                        loop->stop();
                    }
                });
            }
        });
    }
    loop->run();
    EXPECT_EQ(ran, kThreads * kRounds);
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST(Threads, MayStopALoopThatWaits) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    for (int round = 0; round < 50; ++round) {
        std::thread stopper([&] { loop->stop(); });
        loop->run();
        stopper.join();
    }
}

TEST(Threads, MayLookAtThePulse) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    std::atomic<bool> done = false;
    std::thread watcher([&] {
        std::size_t named = 0;
        while (!done) {
            const Loop::Pulse pulse = loop->pulse();
            named += pulse.name == nullptr ? 0 : std::string_view(pulse.name).size();
        }
        EXPECT_GT(loop->pulse().steps, 0U);
        (void)named;
    });
    struct Worker {
        static task<void> run(Loop& loop) {
            for (int i = 0; i < 100; ++i) {
                co_await loop.yield();
            }
        }
    };
    for (int i = 0; i < 50; ++i) {
        block_on(*loop, Worker::run(*loop), "worker " + std::to_string(i));
    }
    done = true;
    watcher.join();
}

/// Two loops that hand a number to and fro by posting.
struct PingPong {
    static void bounce(Loop& here, Loop& there, int left) {
        if (left == 0) {
            here.stop();
            there.stop();
            return;
        }
        there.post([&here, &there, left] { bounce(there, here, left - 1); });
    }
};

TEST(Threads, MayRunALoopEach) {
    const SystemClock clock;
    const auto one = *Loop::create(clock);
    const auto two = *Loop::create(clock);
    std::thread other([&] { two->run(); });
    one->post([&] { PingPong::bounce(*one, *two, 2 * kRounds); });
    one->run();
    other.join();
}

task<result<int>> add_blocking(BlockingPool& pool, Snapshot<int>& snapshot) {
    int sum = 0;
    for (int i = 0; i < 100; ++i) {
        ALKNET_CO_TRY(const int value, co_await pool.run([&snapshot] {
            snapshot.update([](const int& old) { return std::make_shared<int>(old + 1); });
            return 1;
        }));
        sum += value;
    }
    co_return sum;
}

TEST(Threads, LoopsShareAPoolAndASnapshot) {
    const SystemClock clock;
    Snapshot<int> snapshot(std::make_shared<int>(0));
    std::vector<std::unique_ptr<Loop>> loops;
    for (int t = 0; t < kThreads; ++t) {
        loops.push_back(*Loop::create(clock));
    }
    const auto pool = *BlockingPool::create({});
    std::vector<std::thread> threads;
    for (const auto& loop : loops) {
        threads.emplace_back([&pool, &snapshot, &loop = *loop] {
            EXPECT_EQ(block_on(loop, add_blocking(*pool, snapshot)).value_or(0), 100);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(*snapshot.get(), 100 * kThreads);
}

}  // namespace
}  // namespace alknet
