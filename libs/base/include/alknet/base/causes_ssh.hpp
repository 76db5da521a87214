// Further entries of the catalogue in causes.hpp: SSH.
#pragma once

#include <alknet/base/causes.hpp>

namespace alknet::causes {

extern const Cause kNoAlgorithm;
extern const Cause kLoginFailed;
extern const Cause kSshUser;

}  // namespace alknet::causes
