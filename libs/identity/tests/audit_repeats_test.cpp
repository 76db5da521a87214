#include <gtest/gtest.h>
#include <alknet/identity/audit_repeats.hpp>
#include <alknet/testing/virtual_clock.hpp>

namespace alknet::identity {
namespace {

AuditEntry refused(std::uint8_t last, std::uint16_t port = 1) {
    AuditEntry entry{.event = "connection.refused"};
    entry.remote = SocketAddress::v4({192, 0, 2, last}, port);
    entry.repeats = true;
    return entry;
}

AuditEntry refused_v6(std::uint8_t high, std::uint8_t low) {
    AuditEntry entry = refused(0);
    entry.remote = SocketAddress::v6({0x20, 0x01, 0x0d, 0xb8, high, low}, 9);
    return entry;
}

TEST(AuditRepeats, CountsWhatOneAddressRepeats) {
    AuditRepeats repeats;
    const TimePoint start{};
    int kept = 0;
    for (std::uint16_t i = 0; i < 100; ++i) {
        kept += repeats.keep(refused(1, i), start) ? 1 : 0;
    }
    EXPECT_EQ(kept, static_cast<int>(AuditRepeats::kStrangerMax));
    EXPECT_TRUE(repeats.keep(refused(2), start));
    EXPECT_TRUE(repeats.take_ended(start).empty());
    ASSERT_TRUE(repeats.next());
    EXPECT_EQ(*repeats.next(), start + AuditRepeats::kWindow);
    const auto ended = repeats.take_ended(start + AuditRepeats::kWindow);
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].event, "audit.repeated");
    EXPECT_FALSE(ended[0].repeats);
    EXPECT_EQ(ended[0].more[0].second, "connection.refused");
    EXPECT_EQ(ended[0].more[1].second, "97");
    EXPECT_EQ(ended[0].more[2].second, "one");
    EXPECT_FALSE(repeats.next());
    EXPECT_TRUE(repeats.keep(refused(1), start + AuditRepeats::kWindow));
}

TEST(AuditRepeats, SaysWhenAWindowHasItsFirst) {
    AuditRepeats repeats;
    const TimePoint start{};
    for (std::uint32_t i = 0; i < AuditRepeats::kStrangerMax; ++i) {
        EXPECT_TRUE(repeats.keep(refused(1), start));
        EXPECT_FALSE(repeats.counts_anew());
    }
    EXPECT_FALSE(repeats.keep(refused(1), start));
    EXPECT_TRUE(repeats.counts_anew());
    EXPECT_FALSE(repeats.keep(refused(1), start));
    EXPECT_FALSE(repeats.counts_anew());
    (void)repeats.take_ended(start + AuditRepeats::kWindow);
    AuditEntry once = refused(1);
    once.repeats = false;
    EXPECT_TRUE(repeats.keep(once, start));
    EXPECT_FALSE(repeats.counts_anew());
}

TEST(AuditRepeats, KeepsApartWhatPeersDo) {
    AuditRepeats repeats;
    AuditEntry entry = refused(1);
    entry.peer = "bob";
    entry.service = "x";
    int kept = 0;
    for (std::uint32_t i = 0; i < 2 * AuditRepeats::kPeerMax; ++i) {
        kept += repeats.keep(entry, TimePoint()) ? 1 : 0;
    }
    EXPECT_EQ(kept, static_cast<int>(AuditRepeats::kPeerMax));
    entry.service = "y";
    EXPECT_TRUE(repeats.keep(entry, TimePoint()));
    entry.reason = "E-FORBIDDEN";
    EXPECT_TRUE(repeats.keep(entry, TimePoint()));
    entry.repeats = false;
    for (std::uint32_t i = 0; i < 2 * AuditRepeats::kPeerMax; ++i) {
        EXPECT_TRUE(repeats.keep(entry, TimePoint()));
    }
}

TEST(AuditRepeats, AFloodFromEverywhereIsFewRecords) {
    AuditRepeats repeats;
    std::uint32_t kept = 0;
    for (int high = 0; high < 256; ++high) {
        for (int low = 0; low < 256; ++low) {
            kept += repeats.keep(
                        refused_v6(static_cast<std::uint8_t>(high), static_cast<std::uint8_t>(low)),
                        TimePoint())
                        ? 1
                        : 0;
        }
    }
    EXPECT_EQ(kept, AuditRepeats::kStrangersMax);
    EXPECT_LE(repeats.sources(), AuditRepeats::kStrangersMax + 1);
    AuditEntry alarm = refused(77);
    alarm.event = "invitation.alarm";
    alarm.level = AuditLevel::alarm;
    EXPECT_TRUE(repeats.keep(alarm, TimePoint()));
    const auto ended = repeats.take_ended(TimePoint() + AuditRepeats::kWindow);
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].more[1].second, std::to_string(65536 - AuditRepeats::kStrangersMax));
    EXPECT_EQ(ended[0].more[2].second, "many");
    EXPECT_EQ(repeats.sources(), 0U);
}

TEST(AuditRepeats, HoldsManySources) {
    AuditRepeats repeats;
    AuditEntry entry = refused(1);
    for (std::size_t i = 0; i < AuditRepeats::kSourcesMax + 100; ++i) {
        entry.peer = "peer-" + std::to_string(i);
        EXPECT_EQ(repeats.keep(entry, TimePoint()), i < AuditRepeats::kSourcesMax);
    }
    EXPECT_EQ(repeats.sources(), AuditRepeats::kSourcesMax + 1);
    // What is over is forgotten when something new comes.
    EXPECT_EQ(repeats.take_ended(TimePoint() + AuditRepeats::kWindow).size(), 1U);
    EXPECT_TRUE(repeats.keep(entry, TimePoint() + AuditRepeats::kWindow));
    EXPECT_EQ(repeats.sources(), 1U);
}

}  // namespace
}  // namespace alknet::identity
