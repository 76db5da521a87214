#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/call/described.hpp>
#include <optional>
#include <string>
#include <vector>

#include "call_input.hpp"

namespace alknet::app {
namespace {

using testing::HasSubstr;

constexpr std::string_view kSchema = R"({
    "type": "object",
    "properties": {
        "whole": {"type": "integer", "minimum": -5},
        "number": {"type": "number"},
        "maybe": {"type": ["integer", "null"]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "one": {"oneOf": [{"$ref": "#/$defs/port"}, {"type": "null"}]},
        "text": {"type": "string"},
        "texts": {"type": "array", "items": {"type": "string"}},
        "numbers": {"type": "array", "items": {"type": "integer"}},
        "flag": {"type": ["boolean", "null"]},
        "any": true,
        "choice": {"enum": [1, "1", "two"]}
    },
    "$defs": {"port": {"type": "integer", "maximum": 65535}},
    "additionalProperties": false
})";

result<Json> input(const std::string& word) {
    return call_input({word}, call::parse_json(kSchema).value());
}

std::string given(const std::string& word) {
    const auto value = input(word);
    return value ? value->text() : value.error().detail();
}

TEST(CallInput, IsTypedByTheSchema) {
    EXPECT_EQ(given("whole=10"), R"({"whole":10})");
    EXPECT_EQ(given("whole=-5"), R"({"whole":-5})");
    EXPECT_EQ(given("number=10"), R"({"number":10})");
    EXPECT_EQ(given("number=0.5"), R"({"number":0.5})");
    EXPECT_EQ(given("maybe=10"), R"({"maybe":10})");
    EXPECT_EQ(given("either=10"), R"({"either":10})");
    EXPECT_EQ(given("either=ten"), R"({"either":"ten"})");
    EXPECT_EQ(given("one=80"), R"({"one":80})");
    EXPECT_EQ(given("text=10"), R"({"text":"10"})");
    EXPECT_EQ(given("text=true"), R"({"text":"true"})");
    EXPECT_EQ(given("text=null"), R"({"text":"null"})");
    EXPECT_EQ(given(R"(text="x")"), R"({"text":"\"x\""})");
    EXPECT_EQ(given("text="), R"({"text":""})");
    EXPECT_EQ(given("flag=false"), R"({"flag":false})");
    EXPECT_EQ(given("any=10"), R"({"any":10})");
    EXPECT_EQ(given("any=[1"), R"({"any":"[1"})");
    EXPECT_EQ(given("choice=1"), R"({"choice":1})");
    EXPECT_EQ(given("choice=two"), R"({"choice":"two"})");
}

TEST(CallInput, TakesListsWithCommas) {
    EXPECT_EQ(given("texts=1,two"), R"({"texts":["1","two"]})");
    EXPECT_EQ(given("texts="), R"({"texts":[]})");
    EXPECT_EQ(given("numbers=1,2"), R"({"numbers":[1,2]})");
    EXPECT_EQ(given("numbers=[1,2]"), R"({"numbers":[1,2]})");
    EXPECT_EQ(given("numbers=7"), R"({"numbers":[7]})");
}

TEST(CallInput, SaysWhatDoesNotFit) {
    EXPECT_EQ(given("whole=x"), "whole takes a whole number");
    EXPECT_THAT(given("whole=-6"), HasSubstr("at least -5"));
    EXPECT_EQ(given("number=x"), "number takes a number");
    EXPECT_EQ(given("maybe=null"), "maybe takes a whole number");
    EXPECT_EQ(given("flag=maybe"), "flag takes true or false");
    EXPECT_EQ(given("other=1"), "the operation takes no other");
    EXPECT_FALSE(input("choice=three"));
}

TEST(CallInput, WithoutASchemaIsJsonIfItIs) {
    EXPECT_EQ(call_input({"a=10", "b=x", "c:=null"}, Json()).value().text(),
              R"({"a":10,"b":"x","c":null})");
    EXPECT_TRUE(needs_schema({"a=10"}));
    EXPECT_FALSE(needs_schema({"a:=10", "{}"}));
}

std::string given_all(const std::vector<std::string>& words) {
    const auto value = call_input(words, call::parse_json(kSchema).value());
    return value ? value->text() : value.error().detail();
}

TEST(CallInput, TakesEachNameOnce) {
    for (const auto& words : {std::vector<std::string>{"whole=1", "whole=1"},
                              {"whole=1", "text=x", "whole:=2"},
                              {"whole:=1", "whole:=2"},
                              {R"({"whole":3})", "whole=1", "whole=2"},
                              {"whole=1", R"({"whole":3})", "whole=2"}}) {
        EXPECT_EQ(given_all(words), "whole is given twice");
    }
    EXPECT_EQ(given_all({"whole=1", "text=x"}), R"({"whole":1,"text":"x"})");
    // Names are told apart by every octet.
    EXPECT_EQ(call_input({"a=1", "A=2"}, Json()).value().text(), R"({"a":1,"A":2})");
    EXPECT_THAT(given_all({R"({"whole":1,"whole":2})"}), HasSubstr("no JSON"));
}

TEST(CallInput, TakesANameInPlaceOfWhatTheJsonHas) {
    EXPECT_EQ(given_all({R"({"whole":3,"text":"x"})", "whole=1"}), R"({"whole":1,"text":"x"})");
    EXPECT_EQ(given_all({"whole=1", R"({"whole":3,"text":"x"})"}), R"({"whole":1,"text":"x"})");
    EXPECT_EQ(given_all({R"({"whole":3})", "text=y"}), R"({"whole":3,"text":"y"})");
}

struct Described {
    std::optional<std::uint32_t> limit{};
    std::optional<std::int64_t> offset{};
};

TEST(CallInput, FitsWhatComesFromStructs) {
    const Json schema = call::schema_of<Described>(call::Direction::input);
    EXPECT_EQ(call_input({"limit=10", "offset=-3"}, schema).value().text(),
              R"({"limit":10,"offset":-3})");
}

}  // namespace
}  // namespace alknet::app
