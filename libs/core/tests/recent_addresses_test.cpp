#include "recent_addresses.hpp"

#include <gtest/gtest.h>

namespace alknet {
namespace {

SocketAddress host(std::uint8_t number, std::uint16_t port = 1) {
    return SocketAddress::v4({10, 0, 0, number}, port);
}

constexpr TimePoint kNow = TimePoint(std::chrono::hours(1));

TEST(RecentAddresses, CountsWhateverThePort) {
    RecentAddresses recent;
    EXPECT_EQ(recent.count(host(1), kNow), 0U);
    recent.add(host(1, 5), kNow);
    recent.add(host(1, 6), kNow);
    recent.add(host(2), kNow);
    EXPECT_EQ(recent.count(host(1, 7), kNow), 2U);
    EXPECT_EQ(recent.count(host(3), kNow), 0U);
}

TEST(RecentAddresses, ForgetsAfterAWhile) {
    RecentAddresses recent;
    recent.add(host(1), kNow);
    EXPECT_EQ(recent.count(host(1), kNow + RecentAddresses::kMemory), 1U);
    const TimePoint later = kNow + RecentAddresses::kMemory + Duration(1);
    EXPECT_EQ(recent.count(host(1), later), 0U);
    recent.add(host(1), later);
    EXPECT_EQ(recent.count(host(1), later), 1U);
}

TEST(RecentAddresses, TheQuietestGivesWay) {
    RecentAddresses recent;
    for (std::size_t i = 0; i <= RecentAddresses::kAddressesMax; ++i) {
        recent.add(host(static_cast<std::uint8_t>(i)), kNow + Duration(i));
    }
    const TimePoint end = kNow + Duration(RecentAddresses::kAddressesMax);
    EXPECT_EQ(recent.count(host(0), end), 0U);
    EXPECT_EQ(recent.count(host(1), end), 1U);
    EXPECT_EQ(recent.count(host(RecentAddresses::kAddressesMax), end), 1U);
}

}  // namespace
}  // namespace alknet
