// The end of everything that a session leader has started.
#pragma once

#include <sys/types.h>
#include <span>

namespace alknet::process {

/// Kills the group of `leader`, and every process of its session: a shell gives each job a group of
/// its own. The leader has not been reaped, so that nobody else can have its number.
void end_session(pid_t leader) noexcept;

/// Kills every process of these sessions. A number is nobody else's as long as one is left of its
/// session; where none is, this should be called at once.
void end_sessions(std::span<const pid_t> sessions) noexcept;

}  // namespace alknet::process
