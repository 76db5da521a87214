// When a change is told, and that the kernel can be asked.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/network_monitor.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/fake_network_news.hpp>

namespace alknet::net {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

task<result<void>> tell(Loop& loop, sim::FakeNetworkNews& news, int times, Duration apart) {
    for (int i = 0; i < times; ++i) {
        ALKNET_CO_CHECK(co_await loop.sleep(apart));
        news.tell();
    }
    co_return result<void>{};
}

ALKNET_CO_TEST(NetworkMonitor, TellsABurstOnce) {
    auto made = std::make_unique<sim::FakeNetworkNews>();
    sim::FakeNetworkNews& news = *made;
    NetworkMonitor monitor(loop, std::move(made));
    TaskScope telling(loop);
    const TimePoint began = loop.now();
    telling.spawn(tell(loop, news, 5, milliseconds(100)), "tell");
    ALKNET_CO_ASSERT_OK(co_await monitor.changed());
    EXPECT_EQ(loop.now() - began, milliseconds(500) + NetworkMonitor::kQuiet);
    const auto more = co_await with_timeout(hours(1), monitor.changed());
    EXPECT_TRUE(!more && more.error().is(causes::kTimeout));
    (void)co_await telling.join();
}

ALKNET_CO_TEST(NetworkMonitor, DoesNotWaitForTheEndOfABurstForLong) {
    auto made = std::make_unique<sim::FakeNetworkNews>();
    sim::FakeNetworkNews& news = *made;
    NetworkMonitor monitor(loop, std::move(made));
    TaskScope telling(loop);
    const TimePoint began = loop.now();
    telling.spawn(tell(loop, news, 40, milliseconds(100)), "tell");
    ALKNET_CO_ASSERT_OK(co_await monitor.changed());
    EXPECT_EQ(loop.now() - began, milliseconds(100) + NetworkMonitor::kPatience);
    ALKNET_CO_ASSERT_OK(co_await monitor.changed());
    (void)co_await telling.join();
}

ALKNET_CO_TEST(NetworkMonitor, RemembersWhatHappenedMeanwhile) {
    auto made = std::make_unique<sim::FakeNetworkNews>();
    made->tell();
    NetworkMonitor monitor(loop, std::move(made));
    ALKNET_CO_ASSERT_OK(co_await monitor.changed());
}

ALKNET_CO_TEST(NetworkMonitor, EndsWithItsSource) {
    auto made = std::make_unique<sim::FakeNetworkNews>();
    sim::FakeNetworkNews& news = *made;
    NetworkMonitor monitor(loop, std::move(made));
    news.tell();
    news.fail();
    EXPECT_TRUE((co_await monitor.changed()).error().is(causes::kIo));
}

// What it says is seen by `./dev reach`, which can change a network.
TEST(SystemNetworkNews, WaitsForTheKernelAndCanBeCancelled) {
    const SystemClock clock;
    const auto loop = Loop::create(clock).value();
    auto news = make_system_network_news(*loop);
    ASSERT_TRUE(news) << news.error().message();
    NetworkMonitor monitor(*loop, std::move(*news));
    Cancel cancel;
    cancel.request();
    const auto changed = block_on(*loop, monitor.changed().under(cancel));
    EXPECT_TRUE(!changed && changed.error().is(causes::kCancelled));
}

}  // namespace
}  // namespace alknet::net
