#include "json_values.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace alknet::call {

namespace {

__extension__ using Wide = __int128;

constexpr double kWideLimit = 0x1p100;  // beyond every 64-bit number, within Wide
constexpr double kNearlyWhole = 1e-9;   // of a quotient of doubles

// The whole numbers of 64 bits, whatever form they have.
std::optional<Wide> whole(const Json& value) noexcept {
    if (const auto* integer = value.as_integer()) {
        return *integer;
    }
    if (const auto number = value.as_unsigned()) {
        return *number;
    }
    return std::nullopt;
}

std::string whole_text(double value) {
    return fmt::format("{:.0f}", value == 0 ? 0.0 : value);
}

}  // namespace

bool is_number(const Json& value) noexcept {
    return value.as_number().has_value();
}

bool is_whole(const Json& value) noexcept {
    if (whole(value)) {
        return true;
    }
    const auto number = value.as_number();
    return number && std::trunc(*number) == *number;
}

std::partial_ordering compare_numbers(const Json& left, const Json& right) noexcept {
    const auto left_whole = whole(left);
    const auto right_whole = whole(right);
    if (left_whole && right_whole) {
        return *left_whole <=> *right_whole;
    }
    const double left_number = left.as_number().value_or(0);
    const double right_number = right.as_number().value_or(0);
    if (!left_whole && !right_whole) {
        return left_number <=> right_number;
    }
    // One of them is a double: what is behind its point decides where the whole parts agree.
    const double fraction = left_whole ? right_number : left_number;
    if (std::abs(fraction) >= kWideLimit) {
        return left_number <=> right_number;
    }
    const double floor = std::floor(fraction);
    const auto below = static_cast<Wide>(floor);
    const bool exact = floor == fraction;
    if (left_whole) {
        if (*left_whole != below || exact) {
            return *left_whole <=> below;
        }
        return std::partial_ordering::less;
    }
    if (*right_whole != below || exact) {
        return below <=> *right_whole;
    }
    return std::partial_ordering::greater;
}

bool is_multiple(const Json& value, const Json& divisor) noexcept {
    const auto value_whole = whole(value);
    const auto divisor_whole = whole(divisor);
    if (value_whole && divisor_whole) {
        return *value_whole % *divisor_whole == 0;
    }
    const double number = value.as_number().value_or(0);
    const double step = divisor.as_number().value_or(1);
    const double quotient = number / step;
    if (!std::isfinite(quotient)) {
        return std::fmod(number, step) == 0;
    }
    return std::abs(quotient - std::nearbyint(quotient)) <=
           kNearlyWhole *
               std::max(1.0, std::abs(quotient) * std::numeric_limits<double>::epsilon());
}

std::size_t write_canonical(const Json& value, std::string& out) {
    std::size_t looked_at = 1;
    if (const auto* array = value.as_array()) {
        out += '[';
        for (const Json& element : *array) {
            looked_at += write_canonical(element, out);
            out += ',';
        }
        out += ']';
    } else if (const auto* object = value.as_object()) {
        std::vector<const Json::Object::value_type*> members;
        for (const auto& member : *object) {
            members.push_back(&member);
        }
        std::ranges::sort(members, {}, [](const auto* member) { return member->first; });
        out += '{';
        for (const auto* member : members) {
            looked_at += write_canonical(member->first, out);
            out += ':';
            looked_at += write_canonical(member->second, out);
            out += ',';
        }
        out += '}';
    } else if (const auto number = value.as_number();
               number && !whole(value) && std::trunc(*number) == *number) {
        // A double that is a whole number, and may be one that others write without a point.
        out += std::abs(*number) < kWideLimit ? whole_text(*number) : value.text();
    } else {
        out += value.text();
    }
    return looked_at;
}

}  // namespace alknet::call
