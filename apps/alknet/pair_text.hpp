// What the doctor found, as text and as JSON.
#pragma once

#include <alknet/doctor/check.hpp>
#include <alknet/doctor/diagnose.hpp>
#include <string>
#include <vector>

#include "json.hpp"

namespace alknet::app {

/// Grouped.
[[nodiscard]] std::string checks_text(const std::vector<doctor::Check>& checks);
[[nodiscard]] Json checks_json(const std::vector<doctor::Check>& checks);
/// One line for each way.
[[nodiscard]] std::string ways_text(const std::vector<doctor::WayReport>& ways);
[[nodiscard]] Json way_json(const doctor::WayReport& way);
[[nodiscard]] Json ways_json(const std::vector<doctor::WayReport>& ways);
[[nodiscard]] std::string verdicts_text(const std::vector<doctor::Verdict>& verdicts);
[[nodiscard]] Json verdicts_json(const std::vector<doctor::Verdict>& verdicts);

}  // namespace alknet::app
