// When the upper rungs are tried again.
#include <gtest/gtest.h>
#include <alknet/core/climb.hpp>

namespace alknet {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(ClimbSchedule, ComesWithinAMinuteAtFirstAndWithinFiveLater) {
    for (const double chance : {0.0, 0.5, 0.999}) {
        ClimbSchedule schedule;
        for (std::size_t i = 0; i < ClimbSchedule::kEarly; ++i) {
            const Duration pause = schedule.next(chance);
            EXPECT_GE(pause, seconds(30));
            EXPECT_LE(pause, seconds(40));
        }
        Duration before = seconds(30);
        for (int i = 0; i < 3; ++i) {
            const Duration pause = schedule.next(chance);
            EXPECT_GT(pause, before);
            EXPECT_LE(pause, minutes(5));
            before = pause;
        }
        for (int i = 0; i < 100; ++i) {
            const Duration pause = schedule.next(chance);
            EXPECT_GE(pause, seconds(200));
            EXPECT_LE(pause, minutes(5));
        }
        schedule.reset();
        EXPECT_LE(schedule.next(chance), seconds(40));
    }
}

TEST(ClimbSchedule, WhatDidNotLastIsTriedLate) {
    ClimbSchedule schedule;
    schedule.disappointed();
    EXPECT_EQ(schedule.next(0), minutes(5));
    schedule.reset();
    EXPECT_EQ(schedule.next(0), seconds(30));
}

TEST(ClimbSchedule, KnowsWhatIsBetter) {
    EXPECT_FALSE(can_climb(Rung::quic_v6));
    EXPECT_FALSE(can_climb(Rung::quic_v4));
    EXPECT_TRUE(can_climb(Rung::tcp_v6));
    EXPECT_TRUE(can_climb(Rung::proxy));
    EXPECT_EQ(climbs_above(Rung::tcp_v4), Rung::tcp_v6);
    EXPECT_EQ(climbs_above(Rung::tcp_v6), Rung::tcp_v6);
    EXPECT_EQ(climbs_above(Rung::proxy), Rung::proxy);
}

}  // namespace
}  // namespace alknet
