// FileWatch: tells when a file has another content, for configuration and certificates that are
// reloaded. It watches the directory (inotify), because editors and tools replace files by renaming
// and orchestrators by turning a symbolic link in the same directory.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace alknet {

struct FileWatchOptions {
    /// A change is told when nothing has happened for this long: who saves often says it once …
    Duration quiet = std::chrono::milliseconds(200);
    /// … but no later than this after the first.
    Duration longest = std::chrono::seconds(2);
};

class FileWatch final {
public:
    /// The directory of `file` must exist, the file need not. Errors: kIo.
    static result<std::unique_ptr<FileWatch>> open(Loop& loop, const std::filesystem::path& file,
                                                   FileWatchOptions options = {});
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;

    /// Ends when the file was written, replaced, made or removed since `open`, or since this ended
    /// last. It may end although the content is the same. One wait at a time.
    /// Errors: kCancelled, and then the change is not forgotten; kIo when the directory is gone.
    task<result<void>> changed();

private:
    /// What a file is, as far as `stat` can tell.
    struct Stamp {
        std::uint64_t device = 0;
        std::uint64_t inode = 0;  // 0: there is no file
        std::int64_t size = 0;
        std::int64_t modified_s = 0;
        std::int64_t modified_ns = 0;
        bool operator==(const Stamp&) const = default;
    };

    FileWatch(Loop& loop, UniqueFd fd, const std::filesystem::path& file, FileWatchOptions options);
    [[nodiscard]] Stamp stamp() const;
    result<void> read_events();
    task<result<void>> settle();

    Loop& loop_;
    UniqueFd fd_;
    FdReadiness readiness_;
    std::filesystem::path file_;
    std::string name_;
    FileWatchOptions options_;
    Stamp known_;
    bool dirty_ = false;
    bool gone_ = false;
};

}  // namespace alknet
