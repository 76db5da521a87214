#include <gtest/gtest.h>
#include <alknet/base/utf8.hpp>

namespace alknet {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

TEST(Utf8, DecodesTheBoundsOfEachLength) {
    const std::vector<std::pair<std::string, char32_t>> points = {
        {std::string(1, '\0'), 0},
        {"\x7f", 0x7f},
        {"\xc2\x80", 0x80},
        {"\xdf\xbf", 0x7ff},
        {"\xe0\xa0\x80", 0x800},
        {"\xed\x9f\xbf", 0xd7ff},
        {"\xee\x80\x80", 0xe000},
        {"\xef\xbf\xbf", 0xffff},
        {"\xf0\x90\x80\x80", 0x10000},
        {"\xf4\x8f\xbf\xbf", 0x10ffff},
    };
    for (const auto& [text, value] : points) {
        const CodePoint point = first_code_point(text);
        EXPECT_TRUE(point.valid);
        EXPECT_EQ(point.value, value);
        EXPECT_EQ(point.size, text.size());
        EXPECT_EQ(to_valid_utf8(text), text);
    }
}

TEST(Utf8, RefusesOverlongFormsSurrogatesAndWhatIsTooLarge) {
    for (const std::string_view text :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
          "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
          "\xf8\x88\x80\x80\x80", "\xff", "\xc2", "\xe2\x82", "\xf0\x9f\x98", "\xc2 "}) {
        const CodePoint point = first_code_point(text);
        EXPECT_FALSE(point.valid) << testing::PrintToString(text);
        EXPECT_EQ(point.size, 1U);
    }
}

TEST(Utf8, ReplacesOnlyWhatIsWrong) {
    EXPECT_EQ(to_valid_utf8("a\xff\xc3\xa9\xc3z"),
              "a" + std::string(kReplacement) + "\xc3\xa9" + std::string(kReplacement) + "z");
    EXPECT_EQ(to_valid_utf8(""), "");
}

TEST(Utf8, FindsWhatIsWrongWhereverItIs) {
    for (const std::string_view wrong : {"\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80"}) {
        for (std::size_t before = 0; before < 40; ++before) {
            const std::string good = std::string(before, 'a') + "\xc3\xa9";
            EXPECT_TRUE(is_valid_utf8(good));
            const std::string text = good + std::string(wrong) + "\xc3\xa9 and so on";
            EXPECT_EQ(valid_utf8_prefix(text), good.size());
            EXPECT_FALSE(is_valid_utf8(text));
            EXPECT_TRUE(is_valid_utf8(to_valid_utf8(text)));
        }
    }
    EXPECT_TRUE(is_valid_utf8(""));
}

TEST(Utf8, KnowsWhatATerminalMustNotSee) {
    for (const char32_t point : {U'\0', U'\x1b', U'\n', U'\x7f', U'\x85', U'\x9b', U'\u2028',
                                 U'\u202e', U'\u2066', U'\ufeff', U'\U000e0041'}) {
        EXPECT_TRUE(is_unprintable(point)) << static_cast<unsigned>(point);
    }
    for (const char32_t point : {U' ', U'~', U'\u00e9', U'\u4e2d', U'\U0001f600'}) {
        EXPECT_FALSE(is_unprintable(point)) << static_cast<unsigned>(point);
    }
}

}  // namespace
}  // namespace alknet
