// JSON from elsewhere, set out for people.
#pragma once

#include <string>

#include "json.hpp"

namespace alknet::app {

/// A line for each value, members under their names; what is not printable is replaced.
[[nodiscard]] std::string json_for_people(const Json& value);
/// What services/list gives, a line for each operation.
[[nodiscard]] std::string operations_text(const Json& listed);

}  // namespace alknet::app
