// What a schema becomes: a table of nodes that name one another by number.
#pragma once

#include <alknet/call/schema.hpp>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema_pattern.hpp"

namespace alknet::call {

using NodeIndex = std::size_t;

enum JsonType : std::uint8_t {
    kTypeNull = 1,
    kTypeBoolean = 2,
    kTypeInteger = 4,
    kTypeNumber = 8,
    kTypeString = 16,
    kTypeArray = 32,
    kTypeObject = 64,
};

inline constexpr std::array<std::pair<std::string_view, JsonType>, 7> kJsonTypes{{
    {"null", kTypeNull},
    {"boolean", kTypeBoolean},
    {"integer", kTypeInteger},
    {"number", kTypeNumber},
    {"string", kTypeString},
    {"array", kTypeArray},
    {"object", kTypeObject},
}};

struct NumberRules {
    std::optional<Json> multiple_of, minimum, maximum, exclusive_minimum, exclusive_maximum;
};
struct TextRules {
    std::optional<std::uint64_t> length_min, length_max;
    std::optional<Pattern> pattern;
    std::string pattern_text;
};
struct ArrayRules {
    std::optional<std::uint64_t> items_min, items_max, contains_min, contains_max;
    bool unique = false;
    std::vector<NodeIndex> prefix;
    std::optional<NodeIndex> items, contains;
};
struct ObjectRules {
    std::optional<std::uint64_t> members_min, members_max;
    std::vector<std::string> required;
    std::map<std::string, NodeIndex, std::less<>> properties;
    std::vector<std::pair<Pattern, NodeIndex>> patterns;
    std::optional<NodeIndex> additional, names;
    std::map<std::string, std::vector<std::string>, std::less<>> dependent_required;
    std::map<std::string, NodeIndex, std::less<>> dependent_schemas;
};

struct SchemaNode {
    bool never = false;      // the schema `false`
    std::uint8_t types = 0;  // JsonType; 0: any
    /// In canonical form; of `enum` and of `const`.
    std::optional<std::set<std::string>> one_of_values;
    std::optional<std::string> constant;
    std::string values_text, constant_text;  // for the reason; empty: too long
    NumberRules number;
    TextRules text;
    ArrayRules array;
    ObjectRules object;
    std::vector<NodeIndex> all_of, any_of, one_of;
    std::optional<NodeIndex> negated, condition, then, otherwise, reference;
};

struct Schema::Compiled {
    Json document;
    std::vector<SchemaNode> nodes;  // the first is the whole
    std::vector<std::string> ignored;
    std::size_t pattern_states = 0;
};

}  // namespace alknet::call
