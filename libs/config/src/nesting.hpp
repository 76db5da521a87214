// The TOML library frees nested tables by recursion, so that a file of `a.a.a.a… = 1` overflows the
// stack. Ours has keys of three parts; this check comes first.
#pragma once

#include <cstddef>
#include <string_view>

namespace alknet::config {

/// Dots outside text and comments on one line.
inline constexpr std::size_t kDotsMax = 32;

/// The first line with more than kDotsMax dots; 0 if there is none.
[[nodiscard]] std::size_t find_deep_line(std::string_view text) noexcept;

}  // namespace alknet::config
