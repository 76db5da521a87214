// Terminals: two descriptors, of which the child gets one.
#pragma once

#include <sys/types.h>
#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/process/terminal.hpp>
#include <optional>

namespace alknet::process {

struct Terminal {
    UniqueFd ours;
    UniqueFd theirs;
};

/// `owner`: who may open it by its name, besides root. Errors: kIo.
result<Terminal> open_terminal(const TerminalOptions& options, std::optional<uid_t> owner);

/// `terminal` is either end. The group in front is told, as it would be by a window.
void set_window(int terminal, const WindowSize& window) noexcept;

}  // namespace alknet::process
