#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/channel.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>
#include <memory>

namespace alknet {
namespace {

using std::chrono::seconds;

task<result<void>> sends(Channel<int>& channel, int from, int to) {
    for (int i = from; i < to; ++i) {
        ALKNET_CO_CHECK(co_await channel.send(i));
    }
    co_return result<void>();
}

task<result<void>> receives(Channel<int>& channel, std::vector<int>& got, std::size_t count) {
    while (count-- > 0) {
        ALKNET_CO_TRY(const int item, co_await channel.recv());
        got.push_back(item);
    }
    co_return result<void>();
}

ALKNET_CO_TEST(Channel, PassesItemsInOrderAndNoMoreThanItsCapacity) {
    Channel<int> channel(3);
    TaskScope scope(loop);
    scope.spawn(sends(channel, 0, 10), "sender");
    (void)co_await loop.sleep(seconds(1));
    EXPECT_EQ(channel.size(), channel.capacity());
    std::vector<int> got;
    ALKNET_CO_ASSERT_OK(co_await receives(channel, got, 10));
    EXPECT_EQ(got, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    ALKNET_CO_ASSERT_OK(co_await scope.join());
}

ALKNET_CO_TEST(Channel, ReceiversWaitAndAreServedInOrder) {
    Channel<int> channel(3);
    std::vector<int> first;
    std::vector<int> second;
    TaskScope scope(loop);
    scope.spawn(receives(channel, first, 1), "first");
    scope.spawn(receives(channel, second, 1), "second");
    (void)co_await loop.sleep(seconds(1));
    EXPECT_TRUE(channel.try_send(1));
    EXPECT_TRUE(channel.try_send(2));
    EXPECT_FALSE(channel.try_recv()) << "both are promised";
    EXPECT_TRUE(channel.try_send(3));
    EXPECT_EQ(channel.try_recv(), 1) << "items go by order, the promise is to get one";
    ALKNET_CO_ASSERT_OK(co_await scope.join());
    EXPECT_EQ(first, (std::vector{2}));
    EXPECT_EQ(second, (std::vector{3}));
}

ALKNET_CO_TEST(Channel, ASenderThatWaitsIsNotOvertaken) {
    Channel<int> channel(1);
    TaskScope scope(loop);
    scope.spawn(sends(channel, 1, 3), "sender");
    (void)co_await loop.sleep(seconds(1));
    EXPECT_EQ(channel.try_recv(), 1);
    EXPECT_FALSE(channel.try_send(9)) << "the room is promised";
    ALKNET_CO_ASSERT_OK(co_await scope.join());
    EXPECT_EQ(channel.try_recv(), 2);
    EXPECT_TRUE(channel.try_send(9));
}

ALKNET_CO_TEST(Channel, TryFormsLeaveTheItemAlone) {
    Channel<std::unique_ptr<int>> channel(1);
    EXPECT_FALSE(channel.try_recv());
    auto first = std::make_unique<int>(1);
    auto second = std::make_unique<int>(2);
    EXPECT_TRUE(channel.try_send(std::move(first)));
    EXPECT_FALSE(channel.try_send(std::move(second)));
    ALKNET_CO_ASSERT(second != nullptr);  // NOLINT(bugprone-use-after-move): the point of the test
    EXPECT_EQ(**channel.try_recv(), 1);
    channel.close();
    EXPECT_FALSE(channel.try_send(std::move(second)));
    EXPECT_NE(second, nullptr);  // NOLINT(bugprone-use-after-move): the point of the test
}

ALKNET_CO_TEST(Channel, ClosingFailsSendersAndLetsReceiversFinish) {
    Channel<int> channel(2);
    TaskScope scope(loop);
    std::vector<int> got;
    scope.spawn(sends(channel, 0, 5), "sender");
    (void)co_await loop.sleep(seconds(1));
    channel.close();
    channel.close();
    const auto sent = co_await scope.join();
    EXPECT_TRUE(!sent && sent.error().is(causes::kClosed));
    const auto received = co_await receives(channel, got, 5);
    EXPECT_TRUE(!received && received.error().is(causes::kClosed));
    EXPECT_EQ(got, (std::vector{0, 1}));
    EXPECT_TRUE(channel.closed());
}

ALKNET_CO_TEST(Channel, ClosingEndsReceiversThatWait) {
    Channel<int> channel(2);
    std::vector<int> got;
    TaskScope one(loop);
    TaskScope two(loop);
    one.spawn(receives(channel, got, 1), "one");
    two.spawn(receives(channel, got, 1), "two");
    (void)co_await loop.sleep(seconds(1));
    EXPECT_TRUE(channel.try_send(7));
    channel.close();
    ALKNET_CO_ASSERT_OK(co_await one.join());
    const auto outcome = co_await two.join();
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kClosed));
    EXPECT_EQ(got, (std::vector{7}));
}

ALKNET_CO_TEST(Channel, ACancelledReceiverHasTakenNothing) {
    Channel<int> channel(2);
    Cancel cancel;
    std::vector<int> got;
    TaskScope scope(loop);
    scope.spawn(receives(channel, got, 1).under(cancel), "cancelled");
    (void)co_await loop.sleep(seconds(1));
    EXPECT_TRUE(channel.try_send(1));
    cancel.request();  // the item was offered and not yet taken
    ALKNET_CO_ASSERT_OK(co_await scope.join());
    EXPECT_TRUE(got.empty());
    EXPECT_EQ(channel.try_recv(), 1);
}

ALKNET_CO_TEST(Channel, ADestroyedReceiverPassesItsOfferOn) {
    Channel<int> channel(2);
    std::vector<int> lost;
    std::vector<int> got;
    TaskScope scope(loop);
    {
        TaskScope doomed(loop);
        doomed.spawn(receives(channel, lost, 1), "doomed");
        (void)co_await loop.sleep(seconds(1));
        scope.spawn(receives(channel, got, 1), "next");
        (void)co_await loop.sleep(seconds(1));
        EXPECT_TRUE(channel.try_send(1));
    }
    ALKNET_CO_ASSERT_OK(co_await scope.join());
    EXPECT_EQ(got, (std::vector{1}));
    EXPECT_TRUE(lost.empty());
}

ALKNET_CO_TEST(Channel, ACancelledSenderPassesItsRoomOn) {
    Channel<int> channel(1);
    Cancel cancel;
    EXPECT_TRUE(channel.try_send(0));
    TaskScope scope(loop);
    scope.spawn(sends(channel, 1, 2).under(cancel), "cancelled");
    (void)co_await loop.sleep(seconds(1));
    scope.spawn(sends(channel, 2, 3), "next");
    (void)co_await loop.sleep(seconds(1));
    EXPECT_EQ(channel.try_recv(), 0);
    cancel.request();
    ALKNET_CO_ASSERT_OK(co_await scope.join());
    EXPECT_EQ(channel.try_recv(), 2);
    EXPECT_FALSE(channel.try_recv());
}

ALKNET_CO_TEST(Channel, ATimeoutLosesNothing) {
    Channel<int> channel(1);
    Timer timer(loop, [&channel] { EXPECT_TRUE(channel.try_send(5)); });
    timer.arm_after(seconds(2));  // in the same turn as the timeout
    const auto late = co_await with_timeout(seconds(2), channel.recv());
    if (late) {
        EXPECT_EQ(*late, 5);
    } else {
        EXPECT_EQ(channel.try_recv(), 5);
    }
}

TEST(ChannelMisuse, ACapacityOfZeroIsABug) {
    EXPECT_THROW(Channel<int>(0), bug);
}

}  // namespace
}  // namespace alknet
