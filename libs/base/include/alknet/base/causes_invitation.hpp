// Further entries of the catalogue in causes.hpp: introductions.
#pragma once

#include <alknet/base/causes.hpp>

namespace alknet::causes {

extern const Cause kInvitationInvalid;
extern const Cause kInvitationRefused;

}  // namespace alknet::causes
