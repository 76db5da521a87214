// How a failure is told to the other side of a call. The code is what programs branch on; the cause
// and the detail of our catalogue go along in `details`, so that a command at the other end can say
// the same words.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/envelope.hpp>
#include <string_view>

namespace alknet::call {

namespace failure_code {
inline constexpr std::string_view kNotFound = "NOT_FOUND";
inline constexpr std::string_view kForbidden = "FORBIDDEN";
inline constexpr std::string_view kInvalidInput = "INVALID_INPUT";
inline constexpr std::string_view kTimeout = "TIMEOUT";
inline constexpr std::string_view kInternal = "INTERNAL";
inline constexpr std::string_view kAborted = "ABORTED";
inline constexpr std::string_view kLimit = "LIMIT";
inline constexpr std::string_view kUnavailable = "UNAVAILABLE";
inline constexpr std::string_view kProtocol = "PROTOCOL";
inline constexpr std::string_view kInvalidOperationType = "INVALID_OPERATION_TYPE";
}  // namespace failure_code

[[nodiscard]] Failed to_failed(const error& why);
/// A cause of our catalogue that was named, else the one that goes best with the code; a code that
/// is not known here reads as INTERNAL.
[[nodiscard]] error to_error(const Failed& failure);

}  // namespace alknet::call
