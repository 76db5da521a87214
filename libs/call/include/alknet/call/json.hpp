// A JSON value (RFC 8259): what operations take and give, and what --json prints.
#pragma once

#include <alknet/base/result.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace alknet::call {

class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<std::pair<std::string, Json>>;  // in the order of the text

    Json() = default;  // null
    Json(bool value) : value_(value) {}
    Json(std::int64_t value) : value_(value) {}
    Json(std::uint64_t value);
    Json(int value) : value_(static_cast<std::int64_t>(value)) {}
    Json(double value) : value_(value) {}  // not finite: null
    Json(std::string value) : value_(std::move(value)) {}
    Json(std::string_view value) : value_(std::string(value)) {}
    Json(const char* value) : value_(std::string(value)) {}
    Json(Array value) : value_(std::move(value)) {}
    Json(Object value) : value_(std::move(value)) {}

    /// Of anything that a Json can be made from.
    template <class Range>
    static Json list(const Range& range) {
        Array array;
        for (const auto& element : range) {
            array.emplace_back(element);
        }
        return array;
    }
    static Json object(std::initializer_list<std::pair<std::string, Json>> members) {
        return Object(members);
    }

    [[nodiscard]] bool is_null() const noexcept {
        return std::holds_alternative<std::monostate>(value_);
    }
    /// Null, or nullopt, for a value of another kind.
    [[nodiscard]] const bool* as_bool() const noexcept { return std::get_if<bool>(&value_); }
    [[nodiscard]] const std::string* as_string() const noexcept {
        return std::get_if<std::string>(&value_);
    }
    [[nodiscard]] const Array* as_array() const noexcept { return std::get_if<Array>(&value_); }
    [[nodiscard]] const Object* as_object() const noexcept { return std::get_if<Object>(&value_); }
    [[nodiscard]] const std::int64_t* as_integer() const noexcept {
        return std::get_if<std::int64_t>(&value_);
    }
    [[nodiscard]] Object* as_object() noexcept { return std::get_if<Object>(&value_); }
    [[nodiscard]] std::optional<std::uint64_t> as_unsigned() const noexcept;
    [[nodiscard]] std::optional<double> as_number() const noexcept;
    /// Of an object; null if there is none of that name.
    [[nodiscard]] const Json* find(std::string_view name) const noexcept;
    /// The same, to be taken out.
    [[nodiscard]] Json* find(std::string_view name) noexcept;
    /// A member that is a text, or an empty one.
    [[nodiscard]] std::string_view text_of(std::string_view name) const noexcept;
    [[nodiscard]] bool operator==(const Json&) const = default;

    /// The same with each text, but not the names of members, as `change` gives it back.
    [[nodiscard]] Json with_texts(const std::function<std::string(std::string_view)>& change) const;

    /// On one line. Octets that are no UTF-8 become U+FFFD.
    [[nodiscard]] std::string text() const;

private:
    void write(std::string& out) const;
    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
                 Object>
        value_;
};

struct JsonLimits {
    std::size_t depth_max = 64;           // arrays and objects inside one another
    std::size_t values_max = 256 * 1024;  // values of every kind together
};

/// One value and nothing behind it. Refuses, besides what is no JSON: a name twice in one object,
/// octets that are no UTF-8, whole numbers beyond 64 bits, and numbers that a double cannot come
/// near (1e400, 1e-400). Errors: kProtocol; kLimit for what `limits` refuse.
[[nodiscard]] result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace alknet::call
