// Further entries of the catalogue in causes.hpp: calls of operations.
#pragma once

#include <alknet/base/causes.hpp>

namespace alknet::causes {

extern const Cause kNoOperation;
extern const Cause kOperationType;
extern const Cause kNoRun;
extern const Cause kImportAway;
extern const Cause kImportLost;
extern const Cause kImportRefused;

}  // namespace alknet::causes
