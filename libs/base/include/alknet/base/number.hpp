// Whole numbers as text.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

namespace alknet {

/// The whole text is one number in this base, without sign, blank or prefix, and it fits; a minus
/// is taken where `Integer` is signed. Leading zeros are.
template <std::integral Integer>
[[nodiscard]] std::optional<Integer> parse_number(std::string_view text, int base = 10) noexcept {
    Integer value = 0;
    const auto [end, failure] =
        std::from_chars(text.data(), text.data() + text.size(), value, base);
    const bool whole = failure == std::errc() && end == text.data() + text.size();
    return whole ? std::optional(value) : std::nullopt;
}

/// The same in decimal, where a zero in front of other digits is refused: some read it as octal.
template <std::integral Integer>
[[nodiscard]] std::optional<Integer> parse_plain_number(std::string_view text) noexcept {
    const bool padded = text.size() > 1 && text.front() == '0';
    return padded ? std::nullopt : parse_number<Integer>(text);
}

}  // namespace alknet
