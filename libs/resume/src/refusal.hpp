// REFUSE as errors, and errors as REFUSE.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/resume/frames.hpp>

namespace alknet::resume {

[[nodiscard]] error explain_refusal(const Refuse& refusal);
[[nodiscard]] Refuse make_refusal(const error& why);
/// Whether coming back again cannot help.
[[nodiscard]] bool is_final(const error& why) noexcept;

}  // namespace alknet::resume
