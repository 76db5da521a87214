// A JSON value, written and never read: what --json prints.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace alknet::app {

class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<std::pair<std::string, Json>>;

    Json() = default;  // null
    Json(bool value) : value_(value) {}
    Json(std::int64_t value) : value_(value) {}
    Json(std::uint64_t value) : value_(value) {}
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

}  // namespace alknet::app
