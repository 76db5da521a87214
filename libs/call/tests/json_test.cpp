#include <alknet/base/causes.hpp>
#include <alknet/call/json.hpp>

#include "members.hpp"

namespace alknet::call {
namespace {

std::string again(std::string_view text) {
    const auto json = parse_json(text);
    return json ? json->text() : std::string(json.error().cause().id);
}

TEST(CallJson, WritesWhatItReads) {
    for (const std::string_view text :
         {"null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808",
          "18446744073709551615", "1.5", "1000.0", "-0.0", "1e+300", "\"\"", "[]", "{}",
          R"([1,[2,{"a":null}]])", R"({"b":1,"a":"x","":[]})", R"("é😀\n\"\\\u0001")"}) {
        EXPECT_EQ(again(text), text);
    }
    EXPECT_EQ(again(R"("\u00e9\ud83d\ude00\t")"), R"("é😀\u0009")");
    EXPECT_EQ(again(" [ 1e3 , 0.1 ] "), "[1000.0,0.1]");
}

TEST(CallJson, RefusesWhatOthersWouldReadDifferently) {
    for (const std::string_view text : {R"({"a":1,"a":1})",
                                        R"([{"b":1,"a":2,"b":3}])",
                                        R"({"a":1,"\u0061":2})",
                                        "1e400",
                                        "-1e400",
                                        "1e-400",
                                        "18446744073709551616",
                                        "-9223372036854775809",
                                        "123456789012345678901234567890",
                                        R"("\ud800")",
                                        "\"\xff\"",
                                        "\"\xc0\xaf\"",
                                        "",
                                        "  ",
                                        "1 2",
                                        "{",
                                        "[1,]",
                                        "nul",
                                        "NaN",
                                        "Infinity",
                                        "'a'",
                                        "// c\n1",
                                        "01",
                                        "+1",
                                        ".5",
                                        "\"\n\""}) {
        EXPECT_EQ(again(text), "E-PROTOCOL") << text;
    }
}

TEST(CallJson, IsAsDeepAndAsLargeAsItsLimits) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(parse_json(nested(64)));
    ASSERT_FALSE(parse_json(nested(65)));
    EXPECT_TRUE(parse_json(nested(65)).error().is(causes::kLimit));
    EXPECT_TRUE(parse_json(std::string(1 << 20, '[')).error().is(causes::kLimit));
    const JsonLimits few{.depth_max = 64, .values_max = 3};
    EXPECT_TRUE(parse_json("[1,2]", few));
    EXPECT_TRUE(parse_json("[1,2,3]", few).error().is(causes::kLimit));
    EXPECT_TRUE(parse_json("[[],{},1]", few).error().is(causes::kLimit));
}

TEST(CallJson, ANumberHasOneForm) {
    EXPECT_EQ(Json(std::uint64_t{5}), Json(5));
    EXPECT_EQ(parse_json("5").value(), Json(std::uint64_t{5}));
    EXPECT_EQ(Json(5).as_unsigned(), 5U);
    EXPECT_FALSE(Json(-5).as_unsigned());
    EXPECT_EQ(Json(-5).as_number(), -5.0);
    EXPECT_EQ(Json(~std::uint64_t{0}).as_unsigned(), ~std::uint64_t{0});
}

TEST(CallMembers, AreOfTheirKind) {
    Members good(Json::object({{"name", "x"},
                               {"list", Json::list(std::vector{"a", "b"})},
                               {"count", 3},
                               {"on", true},
                               {"none", Json()}}));
    EXPECT_EQ(good.text("name", 1), "x");
    EXPECT_EQ(good.texts("list", 2, 1), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(good.number("count"), 3U);
    EXPECT_TRUE(good.flag("on"));
    EXPECT_FALSE(good.text("none", 1));
    EXPECT_TRUE(good.done());

    const auto refused = [](const auto& read) {
        Members members(Json::object({{"x", Json::list(std::vector{1})}, {"long", "abc"}}));
        read(members);
        return !members.refusal().empty() && members.done().error().is(causes::kUsage);
    };
    EXPECT_TRUE(refused([](Members& m) { (void)m.text("x", 9); }));
    EXPECT_TRUE(refused([](Members& m) { (void)m.text("long", 2); }));
    EXPECT_TRUE(refused([](Members& m) { (void)m.texts("x", 9, 9); }));
    EXPECT_TRUE(refused([](Members& m) { (void)m.texts("long", 9, 9); }));
    EXPECT_TRUE(refused([](Members& m) { (void)m.number("long"); }));
    EXPECT_TRUE(refused([](Members& m) { (void)m.flag("long"); }));
    Members many(Json::object({{"x", Json::list(std::vector{"a", "b"})}}));
    (void)many.texts("x", 1, 9);
    EXPECT_FALSE(many.done());
    EXPECT_FALSE(Members(Json::object({{"stray", 1}})).done());
    EXPECT_FALSE(Members(Json(1)).done());
    EXPECT_TRUE(Members(Json()).done());
}

}  // namespace
}  // namespace alknet::call
