#include "watch_post.hpp"

#include <gtest/gtest.h>
#include <alknet/testing/virtual_clock.hpp>
#include <vector>

namespace alknet {
namespace {

using std::chrono::milliseconds;

constexpr Duration kInterval = milliseconds(50);

class Calls final : public Alarm {
public:
    explicit Calls(std::vector<Duration>& seen) : seen_(seen) {}
    void set(Duration after) noexcept override { seen_.push_back(after); }

private:
    std::vector<Duration>& seen_;
};

struct WatchPostTest : testing::Test {
    sim::VirtualClock clock;
    std::vector<Duration> set;
    WatchPost post{clock, std::make_unique<Calls>(set), kInterval};
};

TEST_F(WatchPostTest, TheThreadLeavesOnlyWhenTheLoopRests) {
    post.on_wake();
    EXPECT_FALSE(post.leave());
    EXPECT_FALSE(post.unguarded());
    post.on_rest();
    EXPECT_TRUE(post.leave());
    EXPECT_TRUE(post.unguarded());
    EXPECT_TRUE(set.empty());
}

TEST_F(WatchPostTest, TheAlarmStandsInForTheThread) {
    EXPECT_TRUE(post.leave());
    post.on_wake();
    post.on_rest();
    EXPECT_EQ(set, (std::vector<Duration>{kInterval, Duration::zero()}));
    post.on_wake();
    post.enter();
    post.on_rest();
    post.on_wake();
    EXPECT_EQ(set.size(), 3U) << "the thread is there";
    EXPECT_FALSE(post.leave());
    post.on_rest();
    EXPECT_TRUE(post.leave());
    post.on_wake();
    EXPECT_EQ(set.size(), 4U) << "the alarm that rang before counts no more";
}

TEST_F(WatchPostTest, ABusyLoopTakesFewAlarmsBack) {
    EXPECT_TRUE(post.leave());
    for (int i = 0; i < 100; ++i) {
        post.on_wake();
        post.on_rest();
    }
    EXPECT_EQ(set.size(), 2 * WatchPost::kTakenBackMax + 1);
    EXPECT_EQ(set.back(), kInterval) << "the last one stays, and brings the thread";
    post.enter();
    EXPECT_TRUE(post.leave());
    clock.advance(4 * kInterval);
    set.clear();
    post.on_wake();
    post.on_rest();
    EXPECT_EQ(set, (std::vector<Duration>{kInterval, Duration::zero()}));
}

}  // namespace
}  // namespace alknet
