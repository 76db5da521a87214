// Whom commands and shells of SSH run as, as [ssh] of alknet.toml says it.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/config.hpp>
#include <alknet/process/user.hpp>
#include <optional>

namespace alknet::app {

using process::RunAs;

/// nullopt: they do not run. It may ask the network. Errors: kSshUser.
[[nodiscard]] result<std::optional<RunAs>> find_run_as(const config::SshRules& rules);

}  // namespace alknet::app
