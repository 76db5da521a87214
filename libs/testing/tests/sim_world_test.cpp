#include <alknet/base/assert.hpp>
#include <alknet/rt/scope.hpp>

#include "sim_fixture.hpp"

namespace alknet::sim {
namespace {

using SimWorldTest = SimPair;
using std::chrono::seconds;

/// Two processes that answer each other over a bad network. Gives the trace's hash.
std::uint64_t ping_pong(std::uint64_t seed) {
    class Echo final : public net::UdpSocket::Receiver {
    public:
        void on_datagrams(std::span<const net::DatagramBatch> batches) noexcept override {
            for (net::DatagramBatch batch : batches) {
                const Bytes copy = to_bytes(batch.data);
                batch.data = copy;
                socket->send(batch);
            }
        }
        void on_writable() noexcept override {}
        std::unique_ptr<net::UdpSocket> socket;
    };
    SimWorld world(seed);
    world.set_all_links(
        {.jitter = ms(5), .loss = 0.1, .duplicate = 0.05, .reorder = 0.1, .corrupt = 0.05});
    std::vector<std::unique_ptr<SimProcess>> processes;
    std::vector<std::unique_ptr<Echo>> echoes;
    for (int i = 0; i < 3; ++i) {
        processes.push_back(world.add_host(std::to_string(i)).start());
        SimProcess& process = *processes.back();
        echoes.push_back(std::make_unique<Echo>());
        echoes.back()->socket =
            *process.network()->bind_udp(process.loop(), process.host().v4(1), {});
        echoes.back()->socket->set_receiver(echoes.back().get());
    }
    for (int i = 0; i < 30; ++i) {
        const std::string text = "datagram " + std::to_string(i);
        net::DatagramBatch batch;
        batch.data = as_bytes(text);
        batch.remote = world.hosts()[static_cast<std::size_t>(i) % 2 + 1]->v4(1);
        echoes[0]->socket->send(batch);
    }
    world.run_for(seconds(2));
    return world.trace_hash();
}

TEST(SimWorld, TheSameSeedGivesTheSameTrace) {
    EXPECT_EQ(ping_pong(1), ping_pong(1));
    EXPECT_EQ(ping_pong(2), ping_pong(2));
    EXPECT_NE(ping_pong(1), ping_pong(2));
}

task<result<void>> sleep_for_ever(Loop& loop) {
    for (;;) {
        ALKNET_CO_CHECK(co_await loop.sleep(seconds(1)));
    }
}

TEST_F(SimWorldTest, TimePassesFromTimerToTimer) {
    TaskScope scope(left_process->loop());
    scope.spawn(sleep_for_ever(left_process->loop()), "sleeper");
    const TimePoint start = world.now();
    const TimePoint mine = left.clock().now();
    world.run_for(std::chrono::hours(1));
    EXPECT_EQ(world.now() - start, std::chrono::hours(1));
    EXPECT_EQ(left.clock().now() - mine, std::chrono::hours(1));
    EXPECT_EQ(left_process->loop().now() - mine, std::chrono::hours(1));
}

TEST_F(SimWorldTest, HostsHaveClocksOfTheirOwn) {
    EXPECT_NE(left.clock().now(), right.clock().now());
    const WallTime before = left.clock().wall_now();
    left.clock().jump_wall(-std::chrono::hours(3));
    world.run_for(ms(5));
    EXPECT_EQ(left.clock().wall_now() - before, ms(5) - std::chrono::hours(3));
}

task<result<void>> count_seconds(Loop& loop, int& count) {
    for (;;) {
        ALKNET_CO_CHECK(co_await loop.sleep(seconds(1)));
        ++count;
    }
}

TEST_F(SimWorldTest, APausedProcessDoesNotRunAndCatchesUp) {
    int count = 0;
    TaskScope scope(left_process->loop());
    scope.spawn(count_seconds(left_process->loop(), count), "counter");
    world.run_for(ms(2500));
    left.pause();
    world.run_for(seconds(10));
    EXPECT_EQ(count, 2);
    const TimePoint before = left.clock().now();
    left.resume();
    world.run_for(Duration(1));
    EXPECT_EQ(count, 3);
    EXPECT_EQ(left.clock().now() - before, Duration(1));
}

TEST_F(SimWorldTest, InSleepTheMonotonicClockStopsOrGoesOn) {
    int left_count = 0;
    int right_count = 0;
    TaskScope left_scope(left_process->loop());
    left_scope.spawn(count_seconds(left_process->loop(), left_count), "counter");
    TaskScope right_scope(right_process->loop());
    right_scope.spawn(count_seconds(right_process->loop(), right_count), "counter");
    world.run_for(ms(500));
    const TimePoint left_before = left.clock().now();
    const WallTime left_wall = left.clock().wall_now();
    const TimePoint right_before = right.clock().now();
    left.suspend();
    right.suspend();
    world.run_for(seconds(100));
    EXPECT_EQ(left_count + right_count, 0);
    left.wake(SimHost::MonotonicInSleep::stops);
    right.wake(SimHost::MonotonicInSleep::goes_on);
    EXPECT_EQ(left.clock().now(), left_before);
    EXPECT_EQ(left.clock().wall_now() - left_wall, seconds(100));
    EXPECT_EQ(left.clock().suspended(), seconds(100));
    EXPECT_EQ(right.clock().now() - right_before, seconds(100));
    EXPECT_EQ(right.clock().suspended(), Duration());
    world.run_for(ms(600));
    EXPECT_EQ(left_count, 1);
    EXPECT_EQ(right_count, 1);
}

TEST_F(SimWorldTest, AProcessMayWakeLate) {
    left.set_wake_latency(ms(3));
    TaskScope scope(left_process->loop());
    int count = 0;
    scope.spawn(count_seconds(left_process->loop(), count), "counter");
    const TimePoint start = world.now();
    ASSERT_TRUE(world.run_until([&] { return count == 1; }, seconds(2)));
    EXPECT_GT(world.now() - start, seconds(1));
    EXPECT_LE(world.now() - start, seconds(1) + ms(3));
}

TEST_F(SimWorldTest, ScheduledFunctionsRunBetweenTurns) {
    std::vector<int> order;
    world.after(ms(20), [&] { order.push_back(2); });
    world.after(ms(10), [&] { order.push_back(1); });
    world.run_for(ms(15));
    EXPECT_THAT(order, testing::ElementsAre(1));
    world.run_for(ms(15));
    EXPECT_THAT(order, testing::ElementsAre(1, 2));
}

TEST_F(SimWorldTest, PostWakesAProcess) {
    bool ran = false;
    world.after(ms(1), [&] { right_process->loop().post([&] { ran = true; }); });
    EXPECT_TRUE(world.run_until([&] { return ran; }, ms(2)));
}

/// Two processes that post to each other without end.
struct Hot {
    Loop& mine;
    Loop& other;
    void bounce() {
        other.post([this] { mine.post([this] { bounce(); }); });
    }
};

TEST_F(SimWorldTest, AWorldThatComesToNoRestIsFound) {
    Hot hot{left_process->loop(), right_process->loop()};
    hot.bounce();
    EXPECT_THROW(world.run_for(ms(1)), bug);
}

TEST_F(SimWorldTest, TheWatcherSeesWhoseClockIsRead) {
    std::vector<const Clock*> seen;
    world.set_clock_watcher([&](const Clock* clock) { seen.push_back(clock); });
    left_process->loop().post([] {});
    right.pause();
    world.run_for(ms(1));
    EXPECT_THAT(seen, testing::ElementsAre(&left.clock(), nullptr));
}

TEST_F(SimWorldTest, NamesResolveAndLiteralsNeedNoTable) {
    world.add_name("node.test", {right.v6(0), right.v4(0)});
    std::optional<result<std::vector<SocketAddress>>> found;
    const auto resolve = [&](std::string name) {
        found.reset();
        TaskScope scope(left_process->loop());
        struct Run {
            static task<void> ask(SimProcess& process, std::string host,
                                  std::optional<result<std::vector<SocketAddress>>>& into) {
                into = co_await process.network()->resolve(process.loop(), host, 7);
            }
        };
        scope.spawn(Run::ask(*left_process, std::move(name), found), "resolve");
        EXPECT_TRUE(world.run_until([&] { return found.has_value(); }, seconds(1)));
    };
    resolve("node.test");
    EXPECT_THAT(**found, testing::ElementsAre(right.v6(7), right.v4(7)));
    resolve("10.0.0.9");
    EXPECT_THAT(**found, testing::ElementsAre(SocketAddress::v4({10, 0, 0, 9}, 7)));
    resolve("2001:db8::1");
    EXPECT_EQ((**found)[0].family(), SocketAddress::Family::v6);
    resolve("nobody.test");
    EXPECT_FALSE(*found);
}

TEST(SimRandom, DrawsStayInTheirRange) {
    Random random(3);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_LT(random.below(3), 3u);
        const std::uint64_t value = random.between(5, 6);
        EXPECT_TRUE(value == 5 || value == 6);
        EXPECT_FALSE(random.chance(0));
        EXPECT_TRUE(random.chance(1));
    }
    EXPECT_EQ(Random(9).next(), Random(9).next());
    EXPECT_NE(Random(9).next(), Random(10).next());
}

}  // namespace
}  // namespace alknet::sim
