// Further entries of the catalogue in causes.hpp: changes of the configuration.
#pragma once

#include <alknet/base/causes.hpp>

namespace alknet::causes {

extern const Cause kAssertionFailed;
extern const Cause kConfigBusy;
extern const Cause kConfigChanged;
extern const Cause kConfigPending;
extern const Cause kConfigNotPending;
extern const Cause kFileMissing;
extern const Cause kLastAdmin;
extern const Cause kOwnAccess;
extern const Cause kRenewEarly;

}  // namespace alknet::causes
