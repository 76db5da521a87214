// Further entries of the catalogue in causes.hpp: the audit log.
#pragma once

#include <alknet/base/causes.hpp>

namespace alknet::causes {

extern const Cause kAuditBroken;

}  // namespace alknet::causes
