#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/limits.hpp>
#include <set>

namespace alknet {
namespace {

TEST(Limits, EveryRowIsItsOwnMemberAndHasADefaultInItsRange) {
    const Limits defaults;
    std::set<std::string_view> keys;
    std::size_t octets = 0;
    for (const LimitInfo& info : all_limits()) {
        EXPECT_TRUE(keys.insert(info.key).second) << info.key;
        EXPECT_FALSE(info.what.empty()) << info.key;
        EXPECT_EQ(find_limit(info.key), &info);
        EXPECT_GE(limit_value(defaults, info), info.lowest) << info.key;
        EXPECT_LE(limit_value(defaults, info), info.highest) << info.key;
        const bool is_time = info.unit == LimitUnit::duration;
        EXPECT_EQ(info.member.index(), is_time ? 1U : 0U) << info.key;
        octets += sizeof(std::uint64_t);
    }
    EXPECT_EQ(octets, sizeof(Limits)) << "a member without a row";
    EXPECT_EQ(find_limit("no_such_limit"), nullptr);
}

TEST(Limits, SettingOneChangesThatOneOnly) {
    for (const LimitInfo& info : all_limits()) {
        for (const std::uint64_t value : {info.lowest, info.highest}) {
            Limits limits;
            ASSERT_TRUE(set_limit(limits, info, value)) << info.key;
            EXPECT_EQ(limit_value(limits, info), value) << info.key;
            ASSERT_TRUE(set_limit(limits, info, limit_value(Limits{}, info)));
            EXPECT_EQ(limits, Limits{}) << info.key;
        }
    }
}

TEST(Limits, AValueOutOfRangeIsRefusedByName) {
    Limits limits;
    const LimitInfo& info = *find_limit("handshake_timeout");
    for (const std::uint64_t value : {info.lowest - 1, info.highest + 1}) {
        const auto outcome = set_limit(limits, info, value);
        ASSERT_FALSE(outcome);
        EXPECT_TRUE(outcome.error().is(causes::kConfigInvalid));
        EXPECT_EQ(outcome.error().detail(), "limits.handshake_timeout = " + std::to_string(value) +
                                                ": must be from 100 to 3600000 ms");
    }
    EXPECT_EQ(limits, Limits{});
}

TEST(Limits, ALimitThatStrikesSaysItsKey) {
    const error failure = limit_reached(Limits{}, "connections_max").error();
    EXPECT_TRUE(failure.is(causes::kLimit));
    EXPECT_EQ(failure.detail(), "limits.connections_max = 10000");
    EXPECT_EQ(limit_reached(Limits{}, "shutdown_grace").error().detail(),
              "limits.shutdown_grace = 2000 ms");
    EXPECT_THROW((void)limit_reached(Limits{}, "no_such_limit"), bug);
}

}  // namespace
}  // namespace alknet
