// The file that holds a KnownNodes, and the lock that its users share (FILE.lock).
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/core/known_nodes.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <utility>

namespace alknet {

class Loop;

/// A value: paths. Several processes, and several dials of one, may use the same file at a time.
class KnownNodesFile {
public:
    static constexpr Duration kLockPatience = std::chrono::seconds(5);

    explicit KnownNodesFile(std::filesystem::path file) : file_(std::move(file)) {}

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return file_; }
    /// What the file says; nothing if there is none. Errors: kHomeInvalid with file and line, or if
    /// others may write it; kIo.
    [[nodiscard]] result<KnownNodes> load() const;

    using Work = std::function<result<void>(KnownNodes&)>;
    /// Under the lock: reads the file, forgets the first contacts of processes that have died, has
    /// `work` change the rest, and writes it, as a whole or not at all, mode 0600. An error of
    /// `work` leaves the file as it was. Errors: those of `work` and load; kStoreBusy after
    /// kLockPatience; kDiskFull, kDiskReadOnly, kIo.
    task<result<void>> change(Loop& loop, Work work) const;

    /// A number of its own for a first contact, which counts as alive until this is destroyed or
    /// the process ends, however it does.
    struct Hold {
        std::uint64_t nonce = 0;
        UniqueFd lock;
    };
    /// Errors: kIo.
    [[nodiscard]] result<Hold> hold() const;

private:
    [[nodiscard]] result<UniqueFd> open_lock() const;
    [[nodiscard]] result<void> rewrite(int lock, const Work& work) const;

    std::filesystem::path file_;
};

}  // namespace alknet
