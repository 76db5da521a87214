// Text from outside: what of it is UTF-8, and what of that is fit for a terminal or a log.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace alknet {

struct CodePoint {
    char32_t value = 0;    // U+FFFD if `valid` is false
    std::size_t size = 1;  // octets taken from the text; 1 if `valid` is false
    bool valid = false;
};

/// Decodes the first code point of `text`, which must not be empty. Strict: no overlong forms, no
/// surrogates, nothing above U+10FFFF.
[[nodiscard]] CodePoint first_code_point(std::string_view text) noexcept;

/// How many octets at the beginning of `text` are whole code points: all of them in valid UTF-8.
[[nodiscard]] std::size_t valid_utf8_prefix(std::string_view text) noexcept;
[[nodiscard]] inline bool is_valid_utf8(std::string_view text) noexcept {
    return valid_utf8_prefix(text) == text.size();
}

/// Replaces each octet that is not part of a code point by U+FFFD.
[[nodiscard]] std::string to_valid_utf8(std::string_view text);

/// True for what changes how the text around it is shown, or cannot be shown: controls (C0, DEL,
/// C1), line and paragraph separators, directional and other invisible format characters.
[[nodiscard]] bool is_unprintable(char32_t code_point) noexcept;

}  // namespace alknet
