#include <gtest/gtest.h>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/testing/virtual_loop.hpp>

namespace alknet {
namespace {

/// Waiters write down how their waits ended.
class WaitTest : public testing::Test {
protected:
    task<void> waiter(int number) {
        const auto outcome = co_await list.wait();
        ended.push_back(outcome ? number : -number);
    }
    task<void> stubborn(int number) {
        const auto outcome = co_await list.wait_uncancellable();
        ended.push_back(outcome ? number : -number);
    }
    void settle() { virtual_loop.settle(); }

    sim::VirtualLoop virtual_loop;
    WaitList list;
    std::vector<int> ended;  // negative: cancelled
    Cancel cancel;
    TaskScope scope{virtual_loop.loop()};
};

TEST_F(WaitTest, AreWokenInTheOrderInWhichTheyCame) {
    for (const int number : {1, 2, 3}) {
        scope.spawn(waiter(number), "waiter");
    }
    settle();
    EXPECT_FALSE(list.empty());
    list.wake_one();
    settle();
    EXPECT_EQ(ended, (std::vector{1}));
    list.wake_all();
    list.wake_one();
    settle();
    EXPECT_EQ(ended, (std::vector{1, 2, 3}));
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.offers(), 0U);
}

TEST_F(WaitTest, ARequestEndsTheWaitsBelowIt) {
    scope.spawn(waiter(1).under(cancel), "waiter");
    scope.spawn(waiter(2), "waiter");
    scope.spawn(stubborn(3).under(cancel), "waiter");
    settle();
    cancel.request();
    settle();
    EXPECT_EQ(ended, (std::vector{-1}));
    list.wake_all();
    settle();
    EXPECT_EQ(ended, (std::vector{-1, 2, 3}));
}

TEST_F(WaitTest, AWaitBelowARequestDoesNotBegin) {
    cancel.request();
    scope.spawn(waiter(1).under(cancel), "waiter");
    settle();
    EXPECT_EQ(ended, (std::vector{-1}));
    EXPECT_TRUE(list.empty());
}

TEST_F(WaitTest, AnOfferMovesOnWhenItsWaiterIsCancelled) {
    scope.spawn(waiter(1).under(cancel), "waiter");
    scope.spawn(waiter(2), "waiter");
    settle();
    list.wake_one();
    EXPECT_EQ(list.offers(), 1U);
    cancel.request();
    EXPECT_EQ(list.offers(), 1U);
    settle();
    EXPECT_EQ(ended, (std::vector{-1, 2}));
    EXPECT_EQ(list.offers(), 0U);
}

TEST_F(WaitTest, AnOfferMovesOnWhenItsWaiterIsDestroyed) {
    {
        TaskScope doomed(virtual_loop.loop());
        doomed.spawn(waiter(1), "waiter");
        settle();
        scope.spawn(waiter(2), "waiter");
        settle();
        list.wake_one();
    }
    settle();
    EXPECT_EQ(ended, (std::vector{2}));
    EXPECT_EQ(list.offers(), 0U);
}

TEST_F(WaitTest, AnOfferThatNobodyWantsIsOver) {
    scope.spawn(waiter(1).under(cancel), "waiter");
    settle();
    list.wake_one();
    cancel.request();
    EXPECT_EQ(list.offers(), 0U);
    settle();
    EXPECT_EQ(ended, (std::vector{-1}));
}

TEST_F(WaitTest, AListMayDieBeforeItsWaitersDo) {
    auto mortal = std::make_unique<WaitList>();
    struct Wait {
        static task<void> on(WaitList& list) { (void)co_await list.wait(); }
    };
    {
        TaskScope doomed(virtual_loop.loop());
        doomed.spawn(Wait::on(*mortal), "offered");
        doomed.spawn(Wait::on(*mortal), "waits");
        settle();
        mortal->wake_one();
        mortal.reset();
    }
    settle();
}

class EventTest : public WaitTest {
protected:
    task<void> event_waiter(int number) {
        const auto outcome = co_await event.wait();
        ended.push_back(outcome ? number : -number);
    }
    task<void> stubborn_event_waiter(int number) {
        co_await event.wait_uncancellable();
        ended.push_back(number);
    }
    Event event;
};

TEST_F(EventTest, IsALatch) {
    scope.spawn(event_waiter(1).under(cancel), "waiter");
    scope.spawn(stubborn_event_waiter(2).under(cancel), "waiter");
    settle();
    event.set();
    event.clear();
    settle();
    EXPECT_TRUE(ended.empty()) << "cleared before anybody looked";
    cancel.request();
    settle();
    EXPECT_EQ(ended, (std::vector{-1}));
    event.set();
    settle();
    EXPECT_EQ(ended, (std::vector{-1, 2}));
    scope.spawn(event_waiter(3), "waiter");
    settle();
    EXPECT_EQ(ended, (std::vector{-1, 2, 3}));
}

}  // namespace
}  // namespace alknet
