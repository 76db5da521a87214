// Files that are on the disk whole, or not at all, whenever the power or the process goes: written
// under another name, synced, given their name, and the directory synced. It stands here because
// keys, the configuration and the state all need it.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <filesystem>
#include <functional>
#include <string_view>

namespace alknet {

struct DurableFileOptions {
    /// False: a file of this name stays as it is, and is an error.
    bool replace = false;
    /// Exactly these permissions, whatever the umask says.
    unsigned mode = 0600;
    /// Called once the content is on the disk, before it gets its name. Its error is given back,
    /// and then everything stays as it was.
    std::function<result<void>()> before_naming{};
};

/// A symbolic link of this name is replaced, not followed. A process that is killed on the way may
/// leave `FILE.<16 hex>.new` behind. Errors: kHomeExists, kDiskFull, kDiskReadOnly, kIo.
result<void> write_durable_file(const std::filesystem::path& file, BytesView content,
                                const DurableFileOptions& options);

/// What a failed system call on a file means: kDiskFull, kDiskReadOnly, else kIo.
[[nodiscard]] std::unexpected<error> file_fail(std::string_view call, int number,
                                               const std::filesystem::path& file);

}  // namespace alknet
