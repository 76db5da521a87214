// Schemas: what is refused when one is compiled, and which place of a value is named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/call/schema.hpp>

namespace alknet::call {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Json json(std::string_view text) {
    auto value = parse_json(text);
    EXPECT_TRUE(value) << text;
    return value.value_or(Json());
}

Schema compiled(std::string_view text) {
    auto schema = Schema::compile(json(text));
    EXPECT_TRUE(schema) << (schema ? "" : schema.error().detail());
    return schema.value_or(Schema());
}

std::string refusal(std::string_view text) {
    const auto schema = Schema::compile(json(text));
    return schema ? "accepted" : schema.error().detail();
}

// "POINTER REASON", or "good".
std::string checked(const Schema& schema, std::string_view value) {
    const auto violation = schema.check(json(value));
    return violation ? violation->pointer + " " + violation->reason : "good";
}
std::string checked(std::string_view schema, std::string_view value) {
    return checked(compiled(schema), value);
}

TEST(Schema, OfNothingAcceptsEverything) {
    EXPECT_EQ(checked(Schema(), R"({"a": [1]})"), "good");
    EXPECT_EQ(checked("true", "null"), "good");
    EXPECT_EQ(checked("false", "null"), " must not be there");
}

TEST(Schema, NamesThePlaceAndWhatIsWantedThere) {
    const Schema schema = compiled(R"({
        "type": "object", "required": ["name"], "additionalProperties": false,
        "properties": {
            "name": {"type": "string", "maxLength": 3, "pattern": "^[a-z]*$"},
            "ports": {"type": "array", "maxItems": 2, "uniqueItems": true,
                      "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
            "a/b~c": {"enum": [1, "x"]}}})");
    EXPECT_EQ(checked(schema, R"({"name": "bob", "ports": [1, 22.0]})"), "good");
    EXPECT_EQ(checked(schema, R"([])"), " must be an object");
    EXPECT_EQ(checked(schema, R"({})"), " must have a member 'name'");
    EXPECT_EQ(checked(schema, R"({"name": "böb"})"), "/name must match ^[a-z]*$");
    EXPECT_EQ(checked(schema, R"({"name": "böbs"})"), "/name must have at most 3 characters");
    EXPECT_EQ(checked(schema, R"({"name": "b", "ports": [1, 0]})"), "/ports/1 must be at least 1");
    EXPECT_EQ(checked(schema, R"({"name": "b", "ports": [1, 1.5]})"),
              "/ports/1 must be a whole number");
    EXPECT_EQ(checked(schema, R"({"name": "b", "ports": [1, 1.0]})"),
              "/ports must not have an element twice");
    EXPECT_EQ(checked(schema, R"({"name": "b", "ports": [1, 2, 3]})"),
              "/ports must have at most 2 elements");
    EXPECT_EQ(checked(schema, R"({"name": "b", "nmae": 1})"), "/nmae must not be there");
    EXPECT_EQ(checked(schema, R"({"name": "b", "a/b~c": 2})"),
              R"(/a~1b~0c must be one of [1,"x"])");
}

TEST(Schema, NumbersAreComparedExactly) {
    EXPECT_EQ(checked(R"({"maximum": 9007199254740992})", "9007199254740993"),
              " must be at most 9007199254740992");
    EXPECT_EQ(checked(R"({"maximum": 9007199254740992.0})", "9007199254740993"),
              " must be at most 9007199254740992.0");
    EXPECT_EQ(checked(R"({"exclusiveMinimum": 18446744073709551614})", "18446744073709551615"),
              "good");
    EXPECT_EQ(checked(R"({"minimum": -2.5})", "-3"), " must be at least -2.5");
    EXPECT_EQ(checked(R"({"minimum": -2.5})", "-2"), "good");
    EXPECT_EQ(checked(R"({"maximum": 1e300})", "18446744073709551615"), "good");
    EXPECT_EQ(checked(R"({"multipleOf": 0.01})", "19.99"), "good");
    EXPECT_EQ(checked(R"({"multipleOf": 0.01})", "19.995"), " must be a multiple of 0.01");
    EXPECT_EQ(checked(R"({"const": 0})", "-0.0"), "good");
    EXPECT_EQ(checked(R"({"const": {"a": 1, "b": [2.0]}})", R"({"b": [2], "a": 1.0})"), "good");
}

TEST(Schema, MayStandInsideItself) {
    const Schema tree = compiled(R"({"type": "object", "properties":
        {"children": {"items": {"$ref": "#"}}, "value": {"$ref": "#/$defs/a~1b%25"}},
        "$defs": {"a/b%": {"type": "integer"}}})");
    EXPECT_EQ(checked(tree, R"({"children": [{"value": 1}, {"children": []}]})"), "good");
    EXPECT_EQ(checked(tree, R"({"children": [{"children": [{"value": "1"}]}]})"),
              "/children/0/children/0/value must be a whole number");
}

TEST(Schema, ThatIsNotUnderstoodIsRefused) {
    EXPECT_EQ(refusal("1"), "schema at '': a schema is an object, true or false");
    EXPECT_EQ(refusal(R"({"properties": {"a/b": {"minimun": 1}}})"),
              "schema at '/properties/a~1b/minimun': this keyword is not known");
    EXPECT_EQ(refusal(R"({"items": {"type": "int"}})"),
              "schema at '/items/type': must be null, boolean, integer, number, string, array, "
              "object, or a list of them");
    EXPECT_EQ(refusal(R"({"type": []})"), "schema at '/type': must name a type");
    EXPECT_EQ(refusal(R"({"minLength": -1})"),
              "schema at '/minLength': must be a whole number from 0 on");
    EXPECT_EQ(refusal(R"({"multipleOf": 0})"), "schema at '/multipleOf': must be above 0");
    EXPECT_EQ(refusal(R"({"required": "a"})"), "schema at '/required': must be a list of texts");
    EXPECT_EQ(refusal(R"({"anyOf": []})"),
              "schema at '/anyOf': must be a list of schemas, and not an empty one");
    EXPECT_THAT(refusal(R"j({"pattern": "a(?=b)"})j"),
                HasSubstr("schema at '/pattern': pattern: "));
    EXPECT_THAT(refusal(R"j({"pattern": "(a)\\1"})j"),
                HasSubstr("schema at '/pattern': pattern: "));
    EXPECT_EQ(refusal(R"({"$ref": "#/$defs/none"})"),
              "schema at '/$ref': there is no '#/$defs/none'");
    EXPECT_THAT(refusal(R"({"$ref": "https://example.org/s"})"),
                HasSubstr("must be a place in this document"));
    EXPECT_THAT(refusal(R"({"$ref": "#anchor"})"), HasSubstr("must be a JSON pointer"));
    EXPECT_THAT(refusal(R"({"$ref": "#"})"), HasSubstr("refers to itself for the same value"));
    EXPECT_THAT(refusal(R"({"anyOf": [{"not": {"$ref": "#"}}]})"),
                HasSubstr("refers to itself for the same value"));
}

TEST(Schema, FromElsewhereSaysWhatItDoesNotEnforce) {
    const auto schema = Schema::compile(
        json(R"({"properties": {"a": {"unevaluatedItems": false, "type": "string"}}})"), {},
        UnknownKeywords::noted);
    ASSERT_TRUE(schema);
    EXPECT_THAT(schema->ignored(), ElementsAre("/properties/a/unevaluatedItems"));
    EXPECT_EQ(checked(*schema, R"({"a": 1})"), "/a must be a text");
}

TEST(SchemaLimits, SchemasAndTheirDepth) {
    const auto with = [](std::size_t count) {
        std::string text = R"({"properties": {)";
        for (std::size_t i = 1; i < count; ++i) {
            text += (i == 1 ? "\"" : ",\"") + std::to_string(i) + "\": true";
        }
        return text + "}}";
    };
    EXPECT_EQ(refusal(with(SchemaLimits().nodes_max)), "accepted");
    EXPECT_THAT(refusal(with(SchemaLimits().nodes_max + 1)), HasSubstr("too many schemas"));

    const auto deep = [](std::size_t depth) {
        Json schema = true;
        for (std::size_t i = 0; i < depth; ++i) {
            schema = Json::object({{"items", std::move(schema)}});
        }
        const auto made = Schema::compile(schema);
        return made ? "accepted" : made.error().detail();
    };
    EXPECT_EQ(deep(SchemaLimits().depth_max), "accepted");
    EXPECT_THAT(deep(SchemaLimits().depth_max + 1), HasSubstr("too many inside one another"));
}

TEST(SchemaLimits, OctetsOfAPattern) {
    const auto with = [](std::size_t size) {
        return R"({"pattern": ")" + std::string(size, 'a') + "\"}";
    };
    EXPECT_EQ(refusal(with(SchemaLimits().pattern_bytes_max)), "accepted");
    EXPECT_THAT(refusal(with(SchemaLimits().pattern_bytes_max + 1)),
                HasSubstr("at most 1024 octets"));
    EXPECT_THAT(refusal(R"({"pattern": "((a{1000}){1000}){1000}"})"), HasSubstr("pattern"));
}

TEST(SchemaLimits, ValuesOfEnums) {
    const auto with = [](std::size_t count) {
        std::string text = R"({"enum": [)";
        for (std::size_t i = 0; i < count; ++i) {
            text += (i == 0 ? "" : ",") + std::to_string(i);
        }
        return text + "]}";
    };
    EXPECT_EQ(refusal(with(SchemaLimits().values_max)), "accepted");
    EXPECT_THAT(refusal(with(SchemaLimits().values_max + 1)), HasSubstr("at most 16384 values"));
}

// Each level asks for the next one twice: 2^40 looks without a limit.
TEST(SchemaLimits, StepsOfACheck) {
    std::string text = R"({"$ref": "#/$defs/0", "$defs": {)";
    for (int i = 0; i < 40; ++i) {
        const std::string next = R"({"$ref": "#/$defs/)" + std::to_string(i + 1) + "\"}";
        text.append("\"").append(std::to_string(i)).append(R"(": {"oneOf": [)");
        text.append(next).append(",").append(next).append("]},");
    }
    text += R"("40": {"type": "null"}}})";
    EXPECT_EQ(checked(text, "1"), " is too much to be checked");
}

TEST(SchemaLimits, DepthOfACheck) {
    const auto chain = [](std::size_t length) {
        std::string text = R"({"$ref": "#/$defs/0", "$defs": {)";
        for (std::size_t i = 0; i < length; ++i) {
            text += "\"" + std::to_string(i) + R"(": {"$ref": "#/$defs/)" + std::to_string(i + 1) +
                    "\"},";
        }
        return text + "\"" + std::to_string(length) + R"(": true}})";
    };
    EXPECT_EQ(checked(chain(1000), "1"), "good");
    EXPECT_EQ(checked(chain(1100), "1"), " is too much to be checked");
}

// Patterns that take exponential or quadratic time elsewhere, against a long text.
TEST(SchemaLimits, TimeOfAPatternIsLinear) {
    const std::string text(60'000, 'a');
    for (const auto* pattern : {"^(a+)+$", "(a|aa)+$", "^(a|a)*b$", "(.*)(.*)(.*)(.*)b$"}) {
        const Schema schema = compiled(Json::object({{"pattern", pattern}}).text());
        const bool ends_in_b = std::string_view(pattern).ends_with("b$");
        EXPECT_EQ(schema.check(text + "b").has_value(), !ends_in_b) << pattern;
    }
}

// Linear in the text, but with all the states of the pattern: both count.
TEST(SchemaLimits, StepsOfPatterns) {
    const std::string pattern = "^(aaaaaaaaaa){0,200}";
    const Schema texts =
        compiled(Json::object({{"items", Json::object({{"pattern", pattern}})}}).text());
    const Schema names =
        compiled(Json::object({{"patternProperties", Json::object({{pattern, true}})}}).text());
    ASSERT_GT(texts.pattern_states(), 1000U);
    EXPECT_EQ(names.pattern_states(), texts.pattern_states());
    const auto reason = [](const Schema& schema, const Json& value) {
        const auto violation = schema.check(value);
        return violation ? violation->reason : "good";
    };
    const std::size_t fit = Schema::kStepsMax / (60'000 * texts.pattern_states() / 1024);
    Json::Array items(fit - 1, std::string(60'000, 'b'));
    Json::Object members;
    for (std::size_t i = 0; i + 1 < fit; ++i) {
        members.emplace_back(std::to_string(i) + std::string(60'000, 'b'), 1);
    }
    EXPECT_EQ(reason(texts, items), "good");
    EXPECT_EQ(reason(names, members), "good");
    for (std::size_t i = 0; i < 3; ++i) {
        items.emplace_back(std::string(60'000, 'b'));
        members.emplace_back("more" + std::to_string(i) + std::string(60'000, 'b'), 1);
    }
    EXPECT_EQ(reason(texts, items), "is too much to be checked");
    EXPECT_EQ(reason(names, members), "is too much to be checked");
}

TEST(SchemaLimits, StatesOfPatterns) {
    const auto error_of = [](std::size_t patterns, std::string_view pattern) {
        Json::Object properties;
        for (std::size_t i = 0; i < patterns; ++i) {
            properties.emplace_back(std::to_string(i), Json::object({{"pattern", pattern}}));
        }
        const auto made = Schema::compile(Json::object({{"properties", std::move(properties)}}));
        return made ? std::string() : made.error().detail();
    };
    EXPECT_EQ(error_of(1024, "a"), "");
    EXPECT_THAT(error_of(1025, "a"), testing::HasSubstr("more than 65536 states"));
    EXPECT_EQ(error_of(10, "(aaaaaaaaaa){200}"), "");
    EXPECT_THAT(error_of(60, "(aaaaaaaaaa){200}"), testing::HasSubstr("65536 states"));
}

}  // namespace
}  // namespace alknet::call
