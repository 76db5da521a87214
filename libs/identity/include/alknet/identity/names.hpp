// Names of peers: few characters, and none that can be taken for another peer's.
#pragma once

#include <alknet/base/result.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace alknet::identity {

inline constexpr std::size_t kNameBytesMax = 64;

/// 1 to 64 ASCII letters, digits, `.`, `_` and `-`, beginning with a letter or digit. Everything
/// else, white space and the letters of other scripts that look like these ones included, is
/// refused. Errors: kUsage.
result<void> check_name(std::string_view name);

/// Two names with the same skeleton look alike: letter case aside, 0 is o, 1 and i are l, `rn` is
/// m, `vv` is w, and `_` is `-`.
[[nodiscard]] std::string name_skeleton(std::string_view name);

}  // namespace alknet::identity
