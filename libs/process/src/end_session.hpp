// The end of everything that a session leader has started.
#pragma once

#include <sys/types.h>

namespace alknet::process {

/// Kills the group of `leader`, and every process of its session: a shell gives each job a group of
/// its own. The leader has not been reaped, so that nobody else can have its number.
void end_session(pid_t leader) noexcept;

}  // namespace alknet::process
