// The JSON of the program: what --json prints, and what operations take and give.
#pragma once

#include <alknet/call/json.hpp>

namespace alknet::app {

using call::Json;

}  // namespace alknet::app
