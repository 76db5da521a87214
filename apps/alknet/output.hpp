// What commands print: results on standard output, failures on standard error, either for people
// or, with --json, as one object on one line.
#pragma once

#include <alknet/base/result.hpp>
#include <string_view>

#include "json.hpp"

namespace alknet::app {

/// One line on standard output, at once. Errors: kIo.
result<void> print_line(std::string_view line);
/// Likewise, without the line's end.
result<void> print_text(std::string_view text);

/// `error: WHAT: DETAIL` and `next: STEP`, or {"error":{"id":…,"what":…,"detail":…,"next":…}}.
void print_error(const error& failure, bool json);

/// Text from outside, fit for a terminal: what is not printable is replaced.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace alknet::app
