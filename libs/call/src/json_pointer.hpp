// RFC 6901.
#pragma once

#include <alknet/call/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::call {

/// A name as it stands behind a slash.
[[nodiscard]] std::string pointer_token(std::string_view name);
/// The place that a pointer leads to; null if there is none, or it is no pointer.
[[nodiscard]] const Json* at_pointer(const Json& document, std::string_view pointer);

}  // namespace alknet::call
