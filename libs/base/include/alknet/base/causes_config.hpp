// Further entries of the catalogue in causes.hpp: changes of the configuration.
#pragma once

#include <alknet/base/causes.hpp>

namespace alknet::causes {

extern const Cause kAssertionFailed;

}  // namespace alknet::causes
