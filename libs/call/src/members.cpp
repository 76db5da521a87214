#include "members.hpp"
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <utility>

namespace alknet::call {

Members::Members(Json object) : object_(std::move(object)) {
    if (object_.is_null()) {
        object_ = Json::Object();
    }
    if (object_.as_object() == nullptr) {
        refuse("an object is expected");
    }
}

Json* Members::find(std::string_view name) {
    asked_.emplace_back(name);
    Json* member = object_.find(name);
    return member == nullptr || member->is_null() ? nullptr : member;
}

std::optional<std::string> Members::text(std::string_view name, std::size_t bytes_max) {
    const Json* member = find(name);
    if (member == nullptr) {
        return std::nullopt;
    }
    const std::string* text = member->as_string();
    if (text == nullptr || text->size() > bytes_max) {
        refuse(std::string(name) + " is no text of at most " + std::to_string(bytes_max) +
               " octets");
        return std::nullopt;
    }
    return *text;
}

std::vector<std::string> Members::texts(std::string_view name, std::size_t count_max,
                                        std::size_t bytes_max) {
    const Json* member = find(name);
    if (member == nullptr) {
        return {};
    }
    const Json::Array* array = member->as_array();
    const auto fits = [&](const Json& one) {
        return one.as_string() != nullptr && one.as_string()->size() <= bytes_max;
    };
    if (array == nullptr || array->size() > count_max || !std::ranges::all_of(*array, fits)) {
        refuse(std::string(name) + " is no list of at most " + std::to_string(count_max) +
               " texts of at most " + std::to_string(bytes_max) + " octets");
        return {};
    }
    std::vector<std::string> all;
    for (const Json& one : *array) {
        all.push_back(*one.as_string());
    }
    return all;
}

std::optional<std::uint64_t> Members::number(std::string_view name) {
    const Json* member = find(name);
    if (member == nullptr) {
        return std::nullopt;
    }
    const auto number = member->as_unsigned();
    if (!number) {
        refuse(std::string(name) + " is no whole number from 0 on");
    }
    return number;
}

bool Members::flag(std::string_view name) {
    const Json* member = find(name);
    if (member == nullptr) {
        return false;
    }
    if (member->as_bool() == nullptr) {
        refuse(std::string(name) + " is neither true nor false");
        return false;
    }
    return *member->as_bool();
}

Json Members::any(std::string_view name) {
    Json* member = find(name);
    return member == nullptr ? Json() : std::exchange(*member, Json());
}

void Members::refuse(std::string why) {
    if (refusal_.empty()) {
        refusal_ = std::move(why);
    }
}

result<void> Members::done() const {
    if (!refusal_.empty()) {
        return fail(causes::kUsage, refusal_);
    }
    for (const auto& [name, value] : *object_.as_object()) {
        if (std::ranges::find(asked_, name) == asked_.end()) {
            return fail(causes::kUsage, "nobody knows what " + name + " is");
        }
    }
    return {};
}

}  // namespace alknet::call
