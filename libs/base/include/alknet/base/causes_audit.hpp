// Further entries of the catalogue in causes.hpp: the audit log, and the change of a node's key.
#pragma once

#include <alknet/base/causes.hpp>

namespace alknet::causes {

extern const Cause kAuditBroken;
extern const Cause kRotationInvalid;

}  // namespace alknet::causes
