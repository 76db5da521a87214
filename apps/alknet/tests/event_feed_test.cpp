#include "event_feed.hpp"

#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>

#include "feed_support.hpp"

namespace alknet::app {
namespace {

class Next final : public AuditSink {
public:
    void record(AuditEntry) noexcept override { ++count; }
    [[nodiscard]] result<void> ready() const override { return fail(causes::kIo); }
    int count = 0;
};

AuditEntry entry(std::string detail) {
    AuditEntry made{.event = "connection.refused"};
    made.detail = std::move(detail);
    return made;
}

task<void> give_what_comes(Loop& loop) {
    const auto feed = std::make_shared<EventFeed>(loop);
    const auto next = std::make_shared<Next>();
    feed->set_next(next);
    EXPECT_FALSE(feed->ready());
    feed->record(entry("before"));
    Taken live;
    TaskScope scope(loop);
    scope.spawn(feed->live().watch({}, live), "live");
    co_await settle(loop);
    feed->record(entry(std::string(1000, 'x')));
    feed->record(entry("b"));
    co_await settle(loop);
    EXPECT_EQ(live.items.size(), 2U);
    live.items.resize(2);
    EXPECT_EQ(live.items[0].output.text_of("detail"), std::string(LiveFeed::kTextBytesMax, 'x'));
    EXPECT_EQ(live.items[1].output.text_of("event"), "connection.refused");
    EXPECT_EQ(*live.items[1].seq, *live.items[0].seq + 1);
    EXPECT_FALSE(live.items[1].missed);
    EXPECT_EQ(next->count, 3);
    Taken again;
    scope.spawn(feed->live().watch({.after = *live.items[0].seq - 1}, again), "again");
    co_await settle(loop);
    EXPECT_EQ(again.items.size(), 2U);
    again.items.resize(2);
    EXPECT_EQ(again.items[0].seq, live.items[0].seq);
    // Of an earlier run.
    Taken old;
    scope.spawn(feed->live().watch({.after = 7}, old), "old");
    co_await settle(loop);
    EXPECT_EQ(old.items.size(), 3U);
    old.items.resize(3);
    EXPECT_EQ(old.items[0].missed, 1U);
    EXPECT_FALSE(old.items[1].missed);
    // Of no run yet.
    Taken none;
    const auto ahead = co_await feed->live().watch({.after = *live.items[1].seq + 1}, none);
    EXPECT_TRUE(ahead.error().is(causes::kUsage));
    scope.cancel();
    (void)co_await scope.join();
}

task<void> miss_something(Loop& loop) {
    const auto feed = std::make_shared<EventFeed>(loop);
    Taken slow(1);
    TaskScope scope(loop);
    scope.spawn(feed->live().watch({}, slow), "slow");
    co_await settle(loop);
    feed->record(entry("first"));
    co_await settle(loop);
    EXPECT_EQ(slow.items.size(), 1U);
    constexpr std::size_t kLost = 10;
    for (std::size_t i = 0; i < LiveFeed::kKeptMax + kLost; ++i) {
        feed->record(entry("more"));
    }
    slow.take_all();
    co_await settle(loop);
    EXPECT_EQ(slow.items.size(), 1 + LiveFeed::kKeptMax);
    EXPECT_EQ(slow.items[1].missed, kLost);
    EXPECT_EQ(*slow.items[1].seq, *slow.items[0].seq + kLost + 1);
    EXPECT_FALSE(slow.items[2].missed);
    scope.cancel();
    (void)co_await scope.join();
}

TEST(EventFeed, GivesWhatComesAndWhatCameAfterANumber) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    block_on(*loop, give_what_comes(*loop));
}

TEST(EventFeed, SaysHowMuchASlowWatcherMissed) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    block_on(*loop, miss_something(*loop));
}

}  // namespace
}  // namespace alknet::app
