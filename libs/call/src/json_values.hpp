// Values as JSON Schema sees them: 1 and 1.0 are one number, and the order of members says nothing.
#pragma once

#include <alknet/call/json.hpp>
#include <compare>
#include <cstddef>
#include <string>

namespace alknet::call {

/// Exact, also where one is a whole number that a double cannot hold. Both are numbers.
[[nodiscard]] std::partial_ordering compare_numbers(const Json& left, const Json& right) noexcept;
[[nodiscard]] bool is_number(const Json& value) noexcept;
/// 1.0 is.
[[nodiscard]] bool is_whole(const Json& value) noexcept;
/// `divisor` is above 0. Of two whole numbers exact, else as near as doubles are.
[[nodiscard]] bool is_multiple(const Json& value, const Json& divisor) noexcept;

/// One text for all forms of one value. Returns how many values it looked at.
std::size_t write_canonical(const Json& value, std::string& out);

}  // namespace alknet::call
