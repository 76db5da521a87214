// The rule of who may own and open a private file, apart from any file.
#pragma once

#include <alknet/base/result.hpp>

namespace alknet::crypto {

/// `mode` and `owner` as stat() gives them, `self` the effective user. Errors: kHomeInvalid.
result<void> check_private_mode(unsigned mode, unsigned owner, unsigned self);

}  // namespace alknet::crypto
