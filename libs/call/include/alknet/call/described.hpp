// C++ structs as JSON: the members of an aggregate, by the names that they have in C++, become its
// schema, are read and are written. Renaming a member renames it everywhere. A name that is a word
// of C++ ends in an underscore there: for_ is "for".
//
// A member is a bool, an integer, a double, a std::string, a Text, a Json, an enum, another such
// struct, or a std::vector, List or std::optional of one of them. An optional may be left out or
// null, and is not written while it is empty; so may, in what is given, a bool and a list, which
// are false and empty then. Every other member must be there. What each member is for may stand in
// the struct, in their order:
//     static constexpr std::array<std::string_view, 2> kAbout = {"how many", "of what"};
// An enum E is written by
// name, which needs, beside it:
//     constexpr std::span<const std::pair<std::string_view, E>> names_of(E);
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/json.hpp>
#include <alknet/call/members_of.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace alknet::call {

/// A text of at most so many characters.
template <std::size_t CharactersMax>
struct Text {
    std::string value{};
    operator const std::string&() const noexcept { return value; }
    bool operator==(const Text&) const = default;
};

/// At most so many elements.
template <class T, std::size_t ElementsMax>
struct List {
    std::vector<T> value{};
    operator const std::vector<T>&() const noexcept { return value; }
    bool operator==(const List&) const = default;
};

/// What is given must have no member that is unknown here; what is taken may, as a later version
/// may say more.
enum class Direction : std::uint8_t { input, output };

template <class T>
concept NamedEnum = std::is_enum_v<T> && requires(T value) {
    { names_of(value) } -> std::convertible_to<std::span<const std::pair<std::string_view, T>>>;
};

/// How a T is a JSON value: schema, write, and read, which trusts that the schema was checked and
/// fails (kUsage) where it was not.
template <class T>
struct JsonOf;

template <class T>
[[nodiscard]] Json schema_of(Direction direction) {
    return JsonOf<T>::schema(direction);
}
template <class T>
[[nodiscard]] Json to_json(const T& value) {
    return JsonOf<T>::write(value);
}
template <class T>
[[nodiscard]] result<T> from_json(Json value) {
    return JsonOf<T>::read(std::move(value));
}

namespace described {

[[nodiscard]] inline Json typed(std::string_view type) {
    return Json::object({{"type", type}});
}
[[nodiscard]] inline std::unexpected<error> unexpected_kind(std::string_view wanted) {
    return fail(causes::kUsage, "a value must be " + std::string(wanted));
}
void add_description(Json& schema, std::string_view about);
/// The schema with null beside what it accepts.
[[nodiscard]] Json or_null(Json schema);

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// What has an obvious value where none is given.
template <class T>
inline constexpr bool has_default = std::same_as<T, bool>;
template <class T>
inline constexpr bool has_default<std::vector<T>> = true;
template <class T, std::size_t ElementsMax>
inline constexpr bool has_default<List<T, ElementsMax>> = true;

}  // namespace described

template <>
struct JsonOf<Json> {
    static Json schema(Direction /*direction*/) { return true; }
    static Json write(const Json& value) { return value; }
    static result<Json> read(Json value) { return value; }
};

template <>
struct JsonOf<bool> {
    static Json schema(Direction /*direction*/) { return described::typed("boolean"); }
    static Json write(bool value) { return value; }
    static result<bool> read(const Json& value) {
        if (value.as_bool() == nullptr) {
            return described::unexpected_kind("true or false");
        }
        return *value.as_bool();
    }
};

template <std::integral T>
struct JsonOf<T> {
    using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;

    static Json schema(Direction /*direction*/) {
        return Json::object({{"type", "integer"},
                             {"minimum", write(std::numeric_limits<T>::min())},
                             {"maximum", write(std::numeric_limits<T>::max())}});
    }
    static Json write(T value) { return static_cast<Wide>(value); }
    static result<T> read(const Json& value) {
        if (const auto* whole = value.as_integer(); whole != nullptr && std::in_range<T>(*whole)) {
            return static_cast<T>(*whole);
        }
        if (const auto whole = value.as_unsigned(); whole && std::in_range<T>(*whole)) {
            return static_cast<T>(*whole);
        }
        // 1.0 is a whole number too; what a double can say exactly ends at 2^53.
        constexpr double kExact = 0x1p53;
        const auto number = value.as_number();
        if (number && *number >= -kExact && *number <= kExact) {
            const auto whole = static_cast<std::int64_t>(*number);
            if (static_cast<double>(whole) == *number && std::in_range<T>(whole)) {
                return static_cast<T>(whole);
            }
        }
        return described::unexpected_kind("a whole number that is not too large");
    }
};

template <>
struct JsonOf<double> {
    static Json schema(Direction /*direction*/) { return described::typed("number"); }
    static Json write(double value) { return value; }
    static result<double> read(const Json& value) {
        const auto number = value.as_number();
        if (!number) {
            return described::unexpected_kind("a number");
        }
        return *number;
    }
};

template <>
struct JsonOf<std::string> {
    static Json schema(Direction /*direction*/) { return described::typed("string"); }
    static Json write(const std::string& value) { return value; }
    static result<std::string> read(const Json& value) {
        if (value.as_string() == nullptr) {
            return described::unexpected_kind("a text");
        }
        return *value.as_string();
    }
};

template <std::size_t CharactersMax>
struct JsonOf<Text<CharactersMax>> {
    static Json schema(Direction /*direction*/) {
        return Json::object(
            {{"type", "string"}, {"maxLength", static_cast<std::uint64_t>(CharactersMax)}});
    }
    static Json write(const Text<CharactersMax>& value) { return value.value; }
    static result<Text<CharactersMax>> read(const Json& value) {
        ALKNET_TRY(std::string text, JsonOf<std::string>::read(value));
        return Text<CharactersMax>{.value = std::move(text)};
    }
};

template <NamedEnum T>
struct JsonOf<T> {
    static Json schema(Direction /*direction*/) {
        Json::Array names;
        for (const auto& [name, value] : names_of(T{})) {
            names.emplace_back(name);
        }
        return Json::object({{"type", "string"}, {"enum", std::move(names)}});
    }
    static Json write(T wanted) {
        for (const auto& [name, value] : names_of(T{})) {
            if (value == wanted) {
                return name;
            }
        }
        return {};
    }
    static result<T> read(const Json& wanted) {
        for (const auto& [name, value] : names_of(T{})) {
            if (wanted.as_string() != nullptr && *wanted.as_string() == name) {
                return value;
            }
        }
        return described::unexpected_kind("one of the names that its schema lists");
    }
};

template <class T>
struct JsonOf<std::optional<T>> {
    static Json schema(Direction direction) {
        return described::or_null(JsonOf<T>::schema(direction));
    }
    static Json write(const std::optional<T>& value) { return value ? to_json(*value) : Json(); }
    static result<std::optional<T>> read(Json value) {
        if (value.is_null()) {
            return std::nullopt;
        }
        return from_json<T>(std::move(value));
    }
};

template <class T, std::size_t ElementsMax>
struct JsonOf<List<T, ElementsMax>> {
    static Json schema(Direction direction) {
        return Json::object({{"type", "array"},
                             {"items", schema_of<T>(direction)},
                             {"maxItems", static_cast<std::uint64_t>(ElementsMax)}});
    }
    static Json write(const List<T, ElementsMax>& list) { return to_json(list.value); }
    static result<List<T, ElementsMax>> read(Json value) {
        ALKNET_TRY(auto all, from_json<std::vector<T>>(std::move(value)));
        return List<T, ElementsMax>{.value = std::move(all)};
    }
};

template <class T>
struct JsonOf<std::vector<T>> {
    static Json schema(Direction direction) {
        return Json::object({{"type", "array"}, {"items", schema_of<T>(direction)}});
    }
    static Json write(const std::vector<T>& values) {
        Json::Array all;
        for (const T& value : values) {
            all.push_back(to_json(value));
        }
        return all;
    }
    static result<std::vector<T>> read(Json value) {
        const auto* array = value.as_array();
        if (array == nullptr) {
            return described::unexpected_kind("a list");
        }
        std::vector<T> all;
        for (const Json& one : *array) {
            ALKNET_TRY(T read, from_json<T>(one));
            all.push_back(std::move(read));
        }
        return all;
    }
};

template <class T>
    requires std::is_aggregate_v<T>
struct JsonOf<T> {
    static Json schema(Direction direction) {
        return schema(direction, std::make_index_sequence<members_of::count<T>>());
    }
    static Json write(const T& object) {
        return write(object, std::make_index_sequence<members_of::count<T>>());
    }
    static result<T> read(Json value) {
        if (value.as_object() == nullptr) {
            return described::unexpected_kind("an object");
        }
        return read(value, std::make_index_sequence<members_of::count<T>>());
    }

private:
    template <std::size_t I>
    using MemberOf = std::remove_cvref_t<decltype(members_of::get<I>(std::declval<T&>()))>;

    template <std::size_t... I>
    static Json schema(Direction direction, std::index_sequence<I...> /*members*/) {
        Json::Object properties;
        Json::Array required;
        const auto add = [&]<std::size_t M>() {
            using Member = MemberOf<M>;
            const bool may_miss = direction == Direction::input && described::has_default<Member>;
            Json property = schema_of<Member>(direction);
            if (may_miss) {
                property = described::or_null(std::move(property));
            }
            if constexpr (requires { T::kAbout; }) {
                static_assert(T::kAbout.size() == members_of::count<T>);
                described::add_description(property, T::kAbout[M]);
            }
            properties.emplace_back(std::string(members_of::name<T, M>), std::move(property));
            if (!described::is_optional<Member> && !may_miss) {
                required.emplace_back(members_of::name<T, M>);
            }
        };
        (add.template operator()<I>(), ...);
        Json::Object all{{"type", "object"}, {"properties", std::move(properties)}};
        if (!required.empty()) {
            all.emplace_back("required", std::move(required));
        }
        if (direction == Direction::input) {
            all.emplace_back("additionalProperties", false);
        }
        return all;
    }
    template <std::size_t... I>
    static Json write(const T& object, std::index_sequence<I...> /*members*/) {
        Json::Object all;
        const auto add = [&]<std::size_t M>() {
            Json value = to_json(members_of::get<M>(object));
            if (!described::is_optional<MemberOf<M>> || !value.is_null()) {
                all.emplace_back(std::string(members_of::name<T, M>), std::move(value));
            }
        };
        (add.template operator()<I>(), ...);
        return all;
    }
    template <std::size_t... I>
    static result<T> read(Json& value, std::index_sequence<I...> /*members*/) {
        T object{};
        std::optional<error> wrong;
        const auto take = [&]<std::size_t M>() {
            Json* found = value.find(members_of::name<T, M>);
            if (described::has_default<MemberOf<M>> && (found == nullptr || found->is_null())) {
                return;
            }
            auto read = from_json<MemberOf<M>>(found == nullptr ? Json() : std::move(*found));
            if (read) {
                members_of::get<M>(object) = *std::move(read);
            } else if (!wrong) {
                wrong = std::move(read).error().within(members_of::name<T, M>);
            }
        };
        (take.template operator()<I>(), ...);
        if (wrong) {
            return std::unexpected(*std::move(wrong));
        }
        return object;
    }
};

}  // namespace alknet::call
