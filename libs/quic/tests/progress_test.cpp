#include "progress.hpp"

#include <gtest/gtest.h>

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

TEST(Progress, NothingInFlightIsNoStall) {
    Progress progress;
    EXPECT_EQ(progress.deadline(30s), TimePoint::max());
    EXPECT_EQ(progress.packet_max(1452, 100ms, kStart), 1452U);
    progress.observe(3000, kStart);
    progress.observe(0, kStart + 1s);
    EXPECT_EQ(progress.deadline(30s), TimePoint::max());
    EXPECT_EQ(progress.packet_max(1452, 100ms, kStart + 1h), 1452U);
}

TEST(Progress, TheDeadlineCountsFromTheLastAcknowledgement) {
    Progress progress;
    progress.observe(3000, kStart);
    EXPECT_EQ(progress.deadline(30s), kStart + 30s);
    EXPECT_EQ(progress.deadline(0s), TimePoint::max());
    progress.observe(4000, kStart + 5s);  // more was sent
    EXPECT_EQ(progress.deadline(30s), kStart + 30s);
    progress.observe(2000, kStart + 6s);
    EXPECT_EQ(progress.deadline(30s), kStart + 36s);
}

TEST(Progress, SilenceMakesPacketsSmallForSomeTime) {
    Progress progress;
    progress.observe(3000, kStart);
    EXPECT_EQ(progress.packet_max(1452, 100ms, kStart + 300ms), 1452U);
    const TimePoint noticed = kStart + 301ms;
    EXPECT_EQ(progress.packet_max(1452, 100ms, noticed), Progress::kNarrow);
    progress.observe(1000, noticed + 1s);  // the small ones arrive
    EXPECT_EQ(progress.packet_max(1452, 100ms, noticed + 1s), Progress::kNarrow);
    progress.observe(0, noticed + 2s);
    EXPECT_EQ(progress.packet_max(1452, 100ms, noticed + Progress::kNarrowFor), 1452U);
}

TEST(Progress, AnotherPathMayCarryMore) {
    Progress progress;
    progress.observe(3000, kStart);
    EXPECT_EQ(progress.packet_max(1452, 100ms, kStart + 1s), Progress::kNarrow);
    progress.observe(0, kStart + 1s);
    progress.forget_path();
    EXPECT_EQ(progress.packet_max(1452, 100ms, kStart + 2s), 1452U);
}

}  // namespace
}  // namespace alknet::quic
