#include "nesting.hpp"

#include <algorithm>

namespace alknet::config {

namespace {

bool tripled(std::string_view text, std::size_t at) noexcept {
    return text.size() - at >= 3 && text[at + 1] == text[at] && text[at + 2] == text[at];
}

// Where the string that begins at `at` has ended. For a string that is no valid TOML it does not
// matter: the parser stops there.
std::size_t skip_string(std::string_view text, std::size_t at) noexcept {
    const char quote = text[at];
    const bool multiline = tripled(text, at);
    at += multiline ? 3 : 1;
    while (at < text.size()) {
        if (quote == '"' && text[at] == '\\') {
            at += 2;
        } else if (text[at] == quote && (!multiline || tripled(text, at))) {
            return at + (multiline ? 3 : 1);
        } else if (!multiline && text[at] == '\n') {
            return at;
        } else {
            ++at;
        }
    }
    return text.size();
}

}  // namespace

std::size_t find_deep_line(std::string_view text) noexcept {
    std::size_t dots = 0;
    std::size_t line_begin = 0;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '"' || c == '\'') {
            at = skip_string(text, at);
            continue;
        }
        if (c == '#') {
            at = std::min(text.find('\n', at), text.size());
            continue;
        }
        if (c == '\n') {
            dots = 0;
            line_begin = at + 1;
        } else if (c == '.' && ++dots > kDotsMax) {
            const auto before = text.substr(0, line_begin);
            return static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1;
        }
        ++at;
    }
    return 0;
}

}  // namespace alknet::config
