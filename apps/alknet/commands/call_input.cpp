#include "call_input.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/call/envelope.hpp>
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

Json list_of(std::string_view text) {
    Json::Array all;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        all.emplace_back(text.substr(0, comma));
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return all;
}

// What a value has to be; null beside it is what is left out.
std::string_view type_of(const Json& property) {
    const Json* type = property.find("type");
    if (type != nullptr && type->as_array() != nullptr) {
        for (const Json& one : *type->as_array()) {
            if (one.as_string() != nullptr && *one.as_string() != "null") {
                return *one.as_string();
            }
        }
    }
    return property.text_of("type");
}

// As the schema says, else JSON if it is, else a text.
result<Json> typed(const Assignment& given, const Json& schema) {
    const Json* properties = schema.find("properties");
    const Json* property = properties == nullptr ? nullptr : properties->find(given.key);
    const std::string_view type = property == nullptr ? "" : type_of(*property);
    const std::string name(given.key);
    if (type == "string") {
        return Json(given.value);
    }
    if (type == "array") {
        return list_of(given.value);
    }
    if (type == "integer") {
        const auto number = parse_number<std::uint64_t>(given.value);
        return number ? result<Json>(Json(*number))
                      : fail(causes::kUsage, name + " takes a whole number");
    }
    if (type == "boolean") {
        if (given.value != "true" && given.value != "false") {
            return fail(causes::kUsage, name + " takes true or false");
        }
        return Json(given.value == "true");
    }
    if (properties != nullptr) {
        return fail(causes::kUsage, "the operation takes no " + name);
    }
    auto value = call::parse_json(given.value);
    return value ? std::move(value) : result<Json>(Json(given.value));
}

void set(Json::Object& object, std::string_view key, Json value) {
    const auto found = std::ranges::find(object, key, &std::pair<std::string, Json>::first);
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
            set(members, given->key, std::move(value));
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
