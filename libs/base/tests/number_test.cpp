#include <gtest/gtest.h>
#include <alknet/base/number.hpp>
#include <cstdint>

namespace alknet {
namespace {

TEST(Number, TheWholeTextIsOneThatFits) {
    EXPECT_EQ(parse_number<std::uint16_t>("0"), 0);
    EXPECT_EQ(parse_number<std::uint16_t>("65535"), 65535);
    EXPECT_EQ(parse_number<std::uint16_t>("007"), 7);
    EXPECT_EQ(parse_number<std::uint32_t>("fF", 16), 255U);
    EXPECT_EQ(parse_number<int>("-3"), -3);
    for (const std::string_view text : {"", " 1", "1 ", "+1", "-1", "65536", "1x", "0x1", "1.0"}) {
        EXPECT_FALSE(parse_number<std::uint16_t>(text)) << text;
    }
    EXPECT_FALSE(parse_number<std::uint16_t>(std::string_view("1\0", 2)));
}

TEST(Number, APlainOneHasNoZeroInFront) {
    EXPECT_EQ(parse_plain_number<unsigned>("0"), 0U);
    EXPECT_EQ(parse_plain_number<unsigned>("10"), 10U);
    EXPECT_FALSE(parse_plain_number<unsigned>("00"));
    EXPECT_FALSE(parse_plain_number<unsigned>("010"));
    EXPECT_FALSE(parse_plain_number<unsigned>(""));
}

}  // namespace
}  // namespace alknet
