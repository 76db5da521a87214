// Structs as JSON: their schema, and there and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/call/described.hpp>
#include <alknet/call/schema.hpp>

namespace alknet::call {
namespace {

using testing::HasSubstr;

enum class Colour : std::uint8_t { red, dark_blue };
constexpr std::array<std::pair<std::string_view, Colour>, 2> kColours{
    {{"red", Colour::red}, {"dark-blue", Colour::dark_blue}}};
constexpr std::span<const std::pair<std::string_view, Colour>> names_of(Colour /*any*/) {
    return kColours;
}

struct Point {
    std::int32_t x = 0;
    std::optional<double> height{};
    bool operator==(const Point&) const = default;
};
struct Drawing {
    Text<5> title;
    std::vector<Point> points;
    std::optional<Colour> colour{};
    std::optional<Point> centre{};
    Json more{};
    bool closed = false;
    std::uint64_t bytes_sent = 0;
    bool operator==(const Drawing&) const = default;
};
struct Nothing {
    bool operator==(const Nothing&) const = default;
};

Json json(std::string_view text) {
    auto value = parse_json(text);
    EXPECT_TRUE(value) << text;
    return value.value_or(Json());
}

TEST(Described, TheSchemaSaysWhatTheStructSays) {
    EXPECT_EQ(schema_of<Point>(Direction::input).text(),
              R"({"type":"object","properties":{)"
              R"("x":{"type":"integer","minimum":-2147483648,"maximum":2147483647},)"
              R"("height":{"type":["number","null"]}},)"
              R"("required":["x"],"additionalProperties":false})");
    EXPECT_EQ(schema_of<Nothing>(Direction::output).text(), R"({"type":"object","properties":{}})");
    const Json drawing = schema_of<Drawing>(Direction::output);
    EXPECT_EQ(drawing.find("properties")->find("title")->text(),
              R"({"type":"string","maxLength":5})");
    EXPECT_EQ(drawing.find("properties")->find("colour")->text(),
              R"({"type":["string","null"],"enum":["red","dark-blue",null]})");
    EXPECT_EQ(drawing.find("properties")->find("more")->text(), "true");
    EXPECT_EQ(drawing.find("required")->text(),
              R"(["title","points","more","closed","bytes_sent"])");
    EXPECT_TRUE(Schema::compile(drawing));
}

TEST(Described, ThereAndBack) {
    const Drawing drawing{.title = {"hut"},
                          .points = {{.x = -1, .height = 2.5}, {.x = 7}},
                          .colour = Colour::dark_blue,
                          .centre = Point{.x = 3},
                          .more = json(R"([1,null])"),
                          .closed = true,
                          .bytes_sent = 18446744073709551615U};
    const Json written = to_json(drawing);
    EXPECT_EQ(written.text(),
              R"({"title":"hut","points":[{"x":-1,"height":2.5},{"x":7}],)"
              R"("colour":"dark-blue","centre":{"x":3},"more":[1,null],"closed":true,)"
              R"("bytes_sent":18446744073709551615})");
    const auto schema = Schema::compile(schema_of<Drawing>(Direction::input));
    ASSERT_TRUE(schema) << schema.error().detail();
    EXPECT_EQ(schema->check(written), std::nullopt);
    const auto read = from_json<Drawing>(written);
    ASSERT_TRUE(read) << read.error().detail();
    EXPECT_EQ(*read, drawing);
    EXPECT_EQ(from_json<Nothing>(Json::Object()).value(), Nothing());
}

TEST(Described, WhatTheSchemaRefusesIsNotReadEither) {
    const auto schema = Schema::compile(schema_of<Drawing>(Direction::input)).value();
    const std::string good = R"("more":0,"closed":false,"bytes_sent":1)";
    const auto refused = [&](std::string_view members) {
        const Json value = json("{" + std::string(members) + "}");
        const auto violation = schema.check(value);
        const auto read = from_json<Drawing>(value);
        return violation && !read ? violation->pointer : "accepted";
    };
    EXPECT_EQ(refused(R"("title":1,"points":[],)" + good), "/title");
    EXPECT_EQ(refused(R"("title":"a","points":[{}],)" + good), "/points/0");
    EXPECT_EQ(refused(R"("title":"a","points":[{"x":2147483648}],)" + good), "/points/0/x");
    EXPECT_EQ(refused(R"("title":"a","points":[{"x":1.5}],)" + good), "/points/0/x");
    EXPECT_EQ(refused(R"("title":"a","points":[],"colour":"blue",)" + good), "/colour");
    EXPECT_EQ(refused(R"("title":"a","points":[],"centre":[],)" + good), "/centre");
    EXPECT_EQ(refused(R"("title":"a","points":{},)" + good), "/points");
    EXPECT_EQ(refused(R"("title":"a","points":[{"x":1,"height":"1"}],)" + good),
              "/points/0/height");
    EXPECT_EQ(refused(R"("title":"a","points":[],"more":0,"closed":1,"bytes_sent":1)"), "/closed");
    EXPECT_EQ(refused(R"("title":"a","points":[],"more":0,"closed":true,"bytes_sent":-1)"),
              "/bytes_sent");
    EXPECT_EQ(schema.check(json(R"({"title":"sixsix","points":[],)" + good + "}"))->pointer,
              "/title");
    EXPECT_EQ(schema.check(json(R"({"title":"a","points":[],"ponits":1,)" + good + "}"))->pointer,
              "/ponits");
}

TEST(Described, WholeNumbersMayHaveAPoint) {
    EXPECT_EQ(from_json<Point>(json(R"({"x":3.0,"height":null})")).value(), Point{.x = 3});
    EXPECT_THAT(from_json<Point>(json(R"({"x":1e300})")).error().detail(), HasSubstr("x: "));
}

}  // namespace
}  // namespace alknet::call
