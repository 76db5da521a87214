// Failures of system calls as errors.
#pragma once

#include <alknet/base/result.hpp>
#include <string>
#include <string_view>

namespace alknet {

/// The system's words for an `errno`; unlike strerror, from any thread.
[[nodiscard]] std::string os_error_text(int number);

/// kIo with "call object: reason": `return os_fail("bind", errno, address)`. The object is
/// optional.
[[nodiscard]] std::unexpected<error> os_fail(std::string_view call, int number,
                                             std::string_view object = {});

}  // namespace alknet
