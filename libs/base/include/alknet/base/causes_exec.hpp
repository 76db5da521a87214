// Further entries of the catalogue in causes.hpp: services that are programs of their own.
#pragma once

#include <alknet/base/causes.hpp>

namespace alknet::causes {

extern const Cause kProgramDown;
extern const Cause kProgramStart;
extern const Cause kProgramUser;

}  // namespace alknet::causes
