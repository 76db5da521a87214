#include "call_input.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/schema.hpp>
#include <array>
#include <fstream>
#include <iostream>
#include <optional>
#include <string_view>
#include <utility>

namespace alknet::app {

namespace {

struct Assignment {
    std::string_view key;
    std::string_view value;
    bool json = false;
};

bool is_key_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

// nullopt: it is something else.
std::optional<Assignment> assignment(std::string_view word) {
    const auto end = std::ranges::find_if_not(word, is_key_character);
    const auto size = static_cast<std::size_t>(end - word.begin());
    const std::string_view rest = word.substr(size);
    if (size == 0 || (!rest.starts_with('=') && !rest.starts_with(":="))) {
        return std::nullopt;
    }
    const bool json = rest.starts_with(':');
    return Assignment{
        .key = word.substr(0, size), .value = rest.substr(json ? 2 : 1), .json = json};
}

// More than a frame carries is not read.
result<std::string> read_all(std::istream& from, std::string_view name) {
    std::string text;
    std::array<char, 64 << 10> chunk{};
    while (from.read(chunk.data(), chunk.size()), from.gcount() > 0) {
        text.append(chunk.data(), static_cast<std::size_t>(from.gcount()));
        if (text.size() > call::kFrameBytesMax) {
            return fail(causes::kUsage, std::string(name) + " has more than 16 MiB");
        }
    }
    if (from.bad()) {
        return fail(causes::kIo, "read " + std::string(name));
    }
    return text;
}

result<std::string> text_of(std::string_view word) {
    if (word == "-") {
        return read_all(std::cin, "standard input");
    }
    if (!word.starts_with('@')) {
        return std::string(word);
    }
    const std::string name(word.substr(1));
    std::ifstream file(name, std::ios::binary);
    if (!file) {
        return fail(causes::kUsage, "cannot read " + name);
    }
    return read_all(file, name);
}

result<Json> parsed(std::string_view text) {
    auto value = call::parse_json(text);
    if (!value) {
        return fail(causes::kUsage, "the input is no JSON: " + value.error().detail());
    }
    return value;
}

// Quotes and the word null stand for themselves: := is for JSON.
Json json_or_text(std::string_view text) {
    auto value = call::parse_json(text);
    const bool plain = !value || value->is_null() || value->as_string() != nullptr;
    return plain ? Json(text) : *std::move(value);
}

Json list_of(std::string_view text, Json (*element)(std::string_view)) {
    Json::Array all;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        all.push_back(element(text.substr(0, comma)));
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return all;
}

Json text_alone(std::string_view text) {
    return Json(text);
}

// The rest of the document is there for what refers to it.
call::Schema schema_of(const Json& document, const Json& property) {
    Json::Object alone{{"properties", Json::object({{"value", property}})}};
    for (const std::string_view definitions : {"$defs", "definitions"}) {
        if (const Json* found = document.find(definitions); found != nullptr) {
            alone.emplace_back(definitions, *found);
        }
    }
    auto schema = call::Schema::compile(alone, {}, call::UnknownKeywords::noted);
    return schema ? *std::move(schema) : call::Schema();
}

bool has_type(const Json& property, std::string_view wanted) {
    const Json* type = property.find("type");
    if (type != nullptr && type->as_array() != nullptr) {
        return std::ranges::any_of(*type->as_array(), [&](const Json& one) {
            return one.as_string() != nullptr && *one.as_string() == wanted;
        });
    }
    return property.text_of("type") == wanted;
}

std::string wanted_kind(const Json& property) {
    return has_type(property, "integer")   ? "takes a whole number"
           : has_type(property, "number")  ? "takes a number"
           : has_type(property, "boolean") ? "takes true or false"
                                           : std::string();
}

// The first reading of the words that the schema allows: numbers and the like, a text, a list of
// what stands between commas.
result<Json> typed(const Assignment& given, const Json& document) {
    const Json* properties = document.find("properties");
    const Json* property = properties == nullptr ? nullptr : properties->find(given.key);
    const std::string name(given.key);
    if (property == nullptr) {
        const Json* more = document.find("additionalProperties");
        const bool closed = more != nullptr && more->as_bool() != nullptr && !*more->as_bool();
        return closed ? fail(causes::kUsage, "the operation takes no " + name)
                      : result<Json>(json_or_text(given.value));
    }
    const call::Schema schema = schema_of(document, *property);
    const auto problem = [&](const Json& value) {
        return schema.check(Json::object({{"value", value}}));
    };
    const std::array readings = {json_or_text(given.value), Json(given.value),
                                 list_of(given.value, json_or_text),
                                 list_of(given.value, text_alone)};
    for (const Json& value : readings) {
        if (!problem(value)) {
            return value;
        }
    }
    const std::string kind = wanted_kind(*property);
    // Of a number that is one, what is wrong with it.
    return fail(causes::kUsage, name + " " +
                                    (kind.empty() || readings[0].as_string() == nullptr
                                         ? problem(readings[0])->reason
                                         : kind));
}

Json::Object::iterator find_member(Json::Object& object, std::string_view key) {
    return std::ranges::find(object, key, &std::pair<std::string, Json>::first);
}

void set(Json::Object& object, std::string_view key, Json value) {
    const auto found = find_member(object, key);
    if (found == object.end()) {
        object.emplace_back(key, std::move(value));
    } else {
        found->second = std::move(value);
    }
}

}  // namespace

bool needs_schema(const std::vector<std::string>& words) {
    return std::ranges::any_of(words, [](const std::string& word) {
        const auto found = assignment(word);
        return found && !found->json;
    });
}

result<Json> call_input(const std::vector<std::string>& words, const Json& schema) {
    std::optional<Json> whole;
    Json::Object members;
    for (const std::string& word : words) {
        if (const auto given = assignment(word)) {
            ALKNET_TRY(Json value, given->json ? parsed(given->value) : typed(*given, schema));
            if (find_member(members, given->key) != members.end()) {
                return fail(causes::kUsage, std::string(given->key) + " is given twice");
            }
            members.emplace_back(given->key, std::move(value));
            continue;
        }
        if (whole) {
            return fail(causes::kUsage, "one INPUT alone can be JSON, @FILE or -");
        }
        ALKNET_TRY(const std::string text, text_of(word));
        ALKNET_TRY(whole, parsed(text));
    }
    if (members.empty()) {
        return whole ? *std::move(whole) : Json(Json::Object());
    }
    Json::Object all;
    if (whole) {
        if (whole->as_object() == nullptr) {
            return fail(causes::kUsage, "KEY=VALUE adds to a JSON object alone");
        }
        all = *whole->as_object();
    }
    for (auto& [key, value] : members) {
        set(all, key, std::move(value));
    }
    return all;
}

}  // namespace alknet::app
