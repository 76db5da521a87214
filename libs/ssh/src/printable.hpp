// What the other end says, for a person's eyes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace alknet::ssh {

inline constexpr std::size_t kPrintableBytesMax = 200;

[[nodiscard]] inline std::string printable(std::string_view text) {
    std::string shown(text.substr(0, kPrintableBytesMax));
    std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
    return shown;
}

}  // namespace alknet::ssh
