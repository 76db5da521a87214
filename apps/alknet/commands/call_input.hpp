// What `alknet call` sends: from the words of the command line.
#pragma once

#include <alknet/base/result.hpp>
#include <string>
#include <vector>

#include "json.hpp"

namespace alknet::app {

/// Whether a word needs the schema to be understood: KEY=VALUE.
[[nodiscard]] bool needs_schema(const std::vector<std::string>& words);

/// `schema` is that of the input, or null. A member by name takes the place of one that the JSON
/// has: whoever writes both means to change what a file says. Reads files, and standard input.
/// Errors: kUsage, also for a name that is given twice; kIo for what cannot be read.
[[nodiscard]] result<Json> call_input(const std::vector<std::string>& words, const Json& schema);

}  // namespace alknet::app
