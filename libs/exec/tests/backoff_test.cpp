#include "backoff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

namespace alknet::exec {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

TEST(Backoff, WaitsLongerEachTimeUpToAMinute) {
    Backoff backoff(0);
    std::vector<Duration> delays;
    for (int i = 0; i < 9; ++i) {
        delays.push_back(backoff.ended(Duration::zero()).value());
    }
    EXPECT_THAT(delays, ElementsAre(seconds(1), seconds(2), seconds(4), seconds(8), seconds(16),
                                    seconds(32), seconds(60), seconds(60), seconds(60)));
}

TEST(Backoff, BeginsAnewAfterAStableRun) {
    Backoff backoff(3);
    EXPECT_EQ(backoff.ended(Duration::zero()), seconds(1));
    EXPECT_EQ(backoff.ended(Backoff::kStable - seconds(1)), seconds(2));
    EXPECT_EQ(backoff.ended(Backoff::kStable), seconds(1));
    EXPECT_EQ(backoff.ended(Duration::zero()), seconds(2));
    EXPECT_EQ(backoff.ended(Duration::zero()), std::nullopt);
}

TEST(Backoff, GivesUpAtTheLimit) {
    Backoff once(1);
    EXPECT_EQ(once.ended(Duration::zero()), std::nullopt);
}

}  // namespace
}  // namespace alknet::exec
