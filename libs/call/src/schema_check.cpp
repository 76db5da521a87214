#include <fmt/format.h>
#include <algorithm>
#include <alknet/call/schema.hpp>
#include <array>
#include <unordered_set>

#include "json_pointer.hpp"
#include "json_values.hpp"
#include "schema_compiled.hpp"

namespace alknet::call {

namespace {

// Of calls inside one another: values are at most 64 deep, and a schema may refer on and on.
constexpr std::size_t kDepthMax = 1024;

std::uint8_t types_of(const Json& value) noexcept {
    if (value.is_null()) {
        return kTypeNull;
    }
    if (value.as_bool() != nullptr) {
        return kTypeBoolean;
    }
    if (is_number(value)) {
        return is_whole(value) ? kTypeInteger | kTypeNumber : kTypeNumber;
    }
    if (value.as_string() != nullptr) {
        return kTypeString;
    }
    return value.as_array() != nullptr ? kTypeArray : kTypeObject;
}

// For a person, to whom null beside another type says no more than that it may be left out.
std::string type_names(std::uint8_t types) {
    constexpr std::array<std::pair<JsonType, std::string_view>, 7> kWords{{
        {kTypeNull, "null"},
        {kTypeBoolean, "true or false"},
        {kTypeInteger, "a whole number"},
        {kTypeNumber, "a number"},
        {kTypeString, "a text"},
        {kTypeArray, "a list"},
        {kTypeObject, "an object"},
    }};
    std::string all;
    for (const auto& [type, words] : kWords) {
        if ((types & type) != 0 && (type != kTypeNull || types == kTypeNull)) {
            all += (all.empty() ? "" : " or ") + std::string(words);
        }
    }
    return all;
}

std::size_t code_points(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// One check of one value.
class SchemaChecker {
public:
    explicit SchemaChecker(const std::vector<SchemaNode>& nodes) : nodes_(nodes) {}

    std::optional<SchemaViolation> check(const Json& value) {
        const bool good = fits(0, value);
        if (exhausted_) {
            return SchemaViolation{.pointer = {}, .reason = "is too much to be checked"};
        }
        return good ? std::nullopt : violation_;
    }

private:
    bool wrong(std::string reason) {
        if (!violation_ && quiet_ == 0) {
            violation_ = SchemaViolation{.pointer = pointer_, .reason = std::move(reason)};
        }
        return false;
    }
    bool spend(std::size_t steps) {
        if (steps > steps_) {
            exhausted_ = true;
        }
        steps_ -= std::min(steps, steps_);
        return !exhausted_;
    }
    std::string canonical(const Json& value) {
        std::string text;
        spend(write_canonical(value, text));
        return text;
    }
    bool fits(NodeIndex index, const Json& value);
    bool fits_below(NodeIndex index, const Json& value, std::string_view token) {
        const std::size_t before = pointer_.size();
        pointer_ += "/" + pointer_token(token);
        const bool good = fits(index, value);
        pointer_.resize(before);
        return good;
    }
    // Nothing is wrong yet when it does not.
    bool would_fit(NodeIndex index, const Json& value) {
        ++quiet_;
        const bool good = fits(index, value);
        --quiet_;
        return good;
    }

    bool value_fits(const SchemaNode& node, const Json& value);
    bool number_fits(const NumberRules& rules, const Json& value);
    bool text_fits(const TextRules& rules, const std::string& text);
    bool array_fits(const ArrayRules& rules, const Json::Array& array);
    bool contains_fit(const ArrayRules& rules, const Json::Array& array);
    bool object_fits(const ObjectRules& rules, const Json& value, const Json::Object& object);
    bool member_fits(const ObjectRules& rules, const std::string& name, const Json& member);
    bool has_all(const std::vector<std::string>& names, const Json& object,
                 std::string_view because);
    bool combinations_fit(const SchemaNode& node, const Json& value);

    const std::vector<SchemaNode>& nodes_;
    std::size_t steps_ = Schema::kStepsMax;
    std::size_t depth_ = 0;
    std::size_t quiet_ = 0;
    bool exhausted_ = false;
    std::string pointer_;
    std::optional<SchemaViolation> violation_;
};

bool SchemaChecker::fits(NodeIndex index, const Json& value) {
    if (!spend(1) || depth_ == kDepthMax) {
        exhausted_ = true;
        return false;
    }
    ++depth_;
    const SchemaNode& node = nodes_[index];
    bool good = value_fits(node, value);
    if (good && is_number(value)) {
        good = number_fits(node.number, value);
    } else if (const auto* text = value.as_string(); good && text != nullptr) {
        good = text_fits(node.text, *text);
    } else if (const auto* array = value.as_array(); good && array != nullptr) {
        good = array_fits(node.array, *array);
    } else if (const auto* object = value.as_object(); good && object != nullptr) {
        good = object_fits(node.object, value, *object);
    }
    good = good && combinations_fit(node, value);
    --depth_;
    return good;
}

bool SchemaChecker::value_fits(const SchemaNode& node, const Json& value) {
    if (node.never) {
        return wrong("must not be there");
    }
    if (node.types != 0 && (node.types & types_of(value)) == 0) {
        return wrong("must be " + type_names(node.types));
    }
    if (node.one_of_values && !node.one_of_values->contains(canonical(value))) {
        return wrong(node.values_text.empty() ? "is none of the values that are allowed"
                                              : "must be one of " + node.values_text);
    }
    if (node.constant && *node.constant != canonical(value)) {
        return wrong(node.constant_text.empty() ? "is not the value that is allowed"
                                                : "must be " + node.constant_text);
    }
    return true;
}

bool SchemaChecker::number_fits(const NumberRules& rules, const Json& value) {
    if (rules.minimum && !(compare_numbers(value, *rules.minimum) >= 0)) {
        return wrong("must be at least " + rules.minimum->text());
    }
    if (rules.maximum && !(compare_numbers(value, *rules.maximum) <= 0)) {
        return wrong("must be at most " + rules.maximum->text());
    }
    if (rules.exclusive_minimum && !(compare_numbers(value, *rules.exclusive_minimum) > 0)) {
        return wrong("must be above " + rules.exclusive_minimum->text());
    }
    if (rules.exclusive_maximum && !(compare_numbers(value, *rules.exclusive_maximum) < 0)) {
        return wrong("must be below " + rules.exclusive_maximum->text());
    }
    if (rules.multiple_of && !is_multiple(value, *rules.multiple_of)) {
        return wrong("must be a multiple of " + rules.multiple_of->text());
    }
    return true;
}

bool SchemaChecker::text_fits(const TextRules& rules, const std::string& text) {
    if (rules.length_min && code_points(text) < *rules.length_min) {
        return wrong(fmt::format("must have at least {} characters", *rules.length_min));
    }
    if (rules.length_max && code_points(text) > *rules.length_max) {
        return wrong(fmt::format("must have at most {} characters", *rules.length_max));
    }
    if (rules.pattern && !(spend(rules.pattern->steps(text)) && rules.pattern->found_in(text))) {
        return wrong("must match " + rules.pattern_text);
    }
    return true;
}

bool SchemaChecker::array_fits(const ArrayRules& rules, const Json::Array& array) {
    if (rules.items_min && array.size() < *rules.items_min) {
        return wrong(fmt::format("must have at least {} elements", *rules.items_min));
    }
    if (rules.items_max && array.size() > *rules.items_max) {
        return wrong(fmt::format("must have at most {} elements", *rules.items_max));
    }
    if (rules.unique) {
        std::unordered_set<std::string> seen;
        for (const Json& element : array) {
            if (!seen.insert(canonical(element)).second) {
                return wrong("must not have an element twice");
            }
        }
    }
    for (std::size_t i = 0; i < array.size(); ++i) {
        const auto schema = i < rules.prefix.size() ? std::optional(rules.prefix[i]) : rules.items;
        if (schema && !fits_below(*schema, array[i], std::to_string(i))) {
            return false;
        }
    }
    return contains_fit(rules, array);
}

bool SchemaChecker::contains_fit(const ArrayRules& rules, const Json::Array& array) {
    if (!rules.contains) {
        return true;
    }
    std::size_t found = 0;
    for (const Json& element : array) {
        found += would_fit(*rules.contains, element) ? 1 : 0;
    }
    if (found < rules.contains_min.value_or(1)) {
        return wrong(fmt::format("has {} elements of the kind that must be there at least {} times",
                                 found, rules.contains_min.value_or(1)));
    }
    if (rules.contains_max && found > *rules.contains_max) {
        return wrong(fmt::format("has {} elements of the kind that may be there at most {} times",
                                 found, *rules.contains_max));
    }
    return true;
}

bool SchemaChecker::has_all(const std::vector<std::string>& names, const Json& object,
                            std::string_view because) {
    for (const std::string& name : names) {
        if (!spend(1 + object.as_object()->size() / 64)) {
            return false;
        }
        if (object.find(name) == nullptr) {
            return wrong(fmt::format("must have a member '{}'{}", name, because));
        }
    }
    return true;
}

bool SchemaChecker::member_fits(const ObjectRules& rules, const std::string& name,
                                const Json& member) {
    if (rules.names && !would_fit(*rules.names, name)) {
        return wrong("must not have a member of this name");
    }
    bool known = false;
    if (const auto found = rules.properties.find(name); found != rules.properties.end()) {
        known = true;
        if (!fits(found->second, member)) {
            return false;
        }
    }
    for (const auto& [pattern, schema] : rules.patterns) {
        if (!spend(pattern.steps(name))) {
            return false;
        }
        if (pattern.found_in(name)) {
            known = true;
            if (!fits(schema, member)) {
                return false;
            }
        }
    }
    return known || !rules.additional || fits(*rules.additional, member);
}

bool SchemaChecker::object_fits(const ObjectRules& rules, const Json& value,
                                const Json::Object& object) {
    if (rules.members_min && object.size() < *rules.members_min) {
        return wrong(fmt::format("must have at least {} members", *rules.members_min));
    }
    if (rules.members_max && object.size() > *rules.members_max) {
        return wrong(fmt::format("must have at most {} members", *rules.members_max));
    }
    if (!has_all(rules.required, value, "")) {
        return false;
    }
    for (const auto& [name, member] : object) {
        const std::size_t before = pointer_.size();
        pointer_ += "/" + pointer_token(name);
        const bool good = spend(1 + rules.patterns.size()) && member_fits(rules, name, member);
        pointer_.resize(before);
        if (!good) {
            return false;
        }
        if (const auto found = rules.dependent_required.find(name);
            found != rules.dependent_required.end() &&
            !has_all(found->second, value, " beside '" + name + "'")) {
            return false;
        }
        if (const auto found = rules.dependent_schemas.find(name);
            found != rules.dependent_schemas.end() && !fits(found->second, value)) {
            return false;
        }
    }
    return true;
}

bool SchemaChecker::combinations_fit(const SchemaNode& node, const Json& value) {
    if (node.reference && !fits(*node.reference, value)) {
        return false;
    }
    const auto same = [&](NodeIndex schema) { return fits(schema, value); };
    const auto would = [&](NodeIndex schema) { return would_fit(schema, value); };
    if (!std::ranges::all_of(node.all_of, same)) {
        return false;
    }
    if (!node.any_of.empty() && std::ranges::none_of(node.any_of, would)) {
        return wrong(fmt::format("fits none of {} alternatives", node.any_of.size()));
    }
    if (!node.one_of.empty()) {
        const auto fitting = std::ranges::count_if(node.one_of, would);
        if (fitting != 1) {
            return wrong(fmt::format("must fit one of {} alternatives, and fits {}",
                                     node.one_of.size(), fitting));
        }
    }
    if (node.negated && would(*node.negated)) {
        return wrong("is what it must not be");
    }
    if (node.condition) {
        const auto& next = would(*node.condition) ? node.then : node.otherwise;
        return !next || fits(*next, value);
    }
    return true;
}

}  // namespace

std::optional<SchemaViolation> Schema::check(const Json& value) const {
    return compiled_ == nullptr ? std::nullopt : SchemaChecker(compiled_->nodes).check(value);
}

}  // namespace alknet::call
