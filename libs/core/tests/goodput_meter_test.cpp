// Only what was busy all the time is a measurement.
#include <gtest/gtest.h>
#include <alknet/core/goodput_meter.hpp>

namespace alknet {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(1000)};

TEST(GoodputMeter, MeasuresTenBusySeconds) {
    GoodputMeter meter;
    EXPECT_FALSE(meter.look(kStart, 500, false));
    for (int second = 1; second < 10; ++second) {
        const auto bytes = 500 + (100'000 * static_cast<std::uint64_t>(second));
        EXPECT_FALSE(meter.look(kStart + seconds(second), bytes, false));
        EXPECT_FALSE(meter.look(kStart + seconds(second) + milliseconds(1), bytes, false));
    }
    const auto measured = meter.look(kStart + seconds(10), 1'000'500, false);
    ASSERT_TRUE(measured);
    EXPECT_EQ(measured->bytes, 1'000'000U);
    EXPECT_EQ(measured->time, seconds(10));
    EXPECT_FALSE(meter.look(kStart + seconds(11), 1'100'500, false));  // the next one has begun
}

TEST(GoodputMeter, AQuietSecondBeginsAgain) {
    GoodputMeter meter;
    std::uint64_t bytes = 0;
    for (int second = 0; second < 100; ++second) {
        bytes += second % 9 == 0 ? 10 : 1'000'000;
        EXPECT_FALSE(meter.look(kStart + seconds(second), bytes, false)) << second;
    }
}

TEST(GoodputMeter, SlowIsBusyForWhoHasMoreToSay) {
    GoodputMeter meter;
    bool measured = false;
    for (int second = 0; second <= 10; ++second) {
        measured = meter.look(kStart + seconds(second), static_cast<std::uint64_t>(second), true)
                       .has_value();
    }
    EXPECT_TRUE(measured);
}

}  // namespace
}  // namespace alknet
