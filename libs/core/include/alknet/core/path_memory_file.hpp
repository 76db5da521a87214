// The file that keeps a PathMemory from one run to the next. It is a hint: nothing depends on it.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/core/path_memory.hpp>
#include <filesystem>

namespace alknet {

/// What the file says. A file that cannot be used is told as `paths.ignored`, and nothing is known.
[[nodiscard]] PathMemory load_path_memory(const std::filesystem::path& file, const Log& log);

/// Adds to the file what this process has learnt: under a lock (FILE.lock), as a whole or not at
/// all, mode 0600. Where another process holds the lock just now, nothing is written.
/// Errors: kIo.
result<void> save_path_memory(const std::filesystem::path& file, const PathMemory& memory);

/// The network of the kernel's default route, as it is now.
[[nodiscard]] NetworkIdentity current_network();

}  // namespace alknet
