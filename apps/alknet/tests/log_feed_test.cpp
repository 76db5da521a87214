#include "log_feed.hpp"

#include <gtest/gtest.h>
#include <alknet/base/log_sink.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>

#include "feed_support.hpp"

namespace alknet::app {
namespace {

bool is_warning(const call::Json& item) {
    return item.text_of("level") == "warn";
}

task<void> give_what_is_wanted(Loop& loop) {
    const auto feed = std::make_shared<LogFeed>(loop);
    const Log log(feed);
    log.warn("old.first");
    log.warn("old.second");
    log.info("old.third");
    Taken some;
    TaskScope scope(loop);
    scope.spawn(feed->live().watch({.last = 1, .wanted = is_warning}, some), "some");
    co_await settle(loop);
    log.info("conn.open");
    const std::string secret_size(1000, 'x');
    log.warn("limit.hit",
             {{"limit", secret_size}, {"count", 7}, {"share", 0.5}, {"again", true}, {"count", 8}});
    co_await settle(loop);
    EXPECT_EQ(some.items.size(), 2U);
    some.items.resize(2);
    EXPECT_EQ(some.items[0].output.text_of("event"), "old.second");
    EXPECT_EQ(*some.items[1].seq, *some.items[0].seq + 3);
    EXPECT_FALSE(some.items[1].missed);
    const call::Json& output = some.items[1].output;
    EXPECT_EQ(output.text_of("level"), "warn");
    EXPECT_EQ(output.find("fields")->text(), "{\"limit\":\"" +
                                                 std::string(LiveFeed::kTextBytesMax, 'x') +
                                                 "\",\"count\":7,\"share\":0.5,\"again\":true}");
    scope.cancel();
    (void)co_await scope.join();
}

// What is lost among what nobody wants is told with the next that somebody does.
task<void> miss_what_is_not_kept(Loop& loop) {
    const auto feed = std::make_shared<LogFeed>(loop);
    const Log log(feed);
    Taken slow(1);
    TaskScope scope(loop);
    scope.spawn(feed->live().watch({.wanted = is_warning}, slow), "slow");
    co_await settle(loop);
    log.warn("first");
    co_await settle(loop);
    constexpr std::size_t kLost = 5;
    for (std::size_t i = 0; i < LiveFeed::kKeptMax + kLost - 1; ++i) {
        log.info("more");
    }
    log.warn("last");
    slow.take_all();
    co_await settle(loop);
    EXPECT_EQ(slow.items.size(), 2U);
    slow.items.resize(2);
    EXPECT_EQ(slow.items[1].output.text_of("event"), "last");
    EXPECT_EQ(slow.items[1].missed, kLost);
    scope.cancel();
    (void)co_await scope.join();
}

TEST(LogFeed, GivesWhatIsWanted) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    block_on(*loop, give_what_is_wanted(*loop));
}

TEST(LogFeed, SaysHowMuchASlowWatcherMissed) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    block_on(*loop, miss_what_is_not_kept(*loop));
}

}  // namespace
}  // namespace alknet::app
