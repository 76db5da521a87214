// The services of this program, by name.
#pragma once

#include <string>
#include <vector>

namespace alknet::app {

/// What a node registers, and so what alknet.toml may name.
[[nodiscard]] std::vector<std::string> services();

}  // namespace alknet::app
