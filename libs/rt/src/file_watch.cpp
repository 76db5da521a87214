#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/file_watch.hpp>
#include <array>
#include <cerrno>
#include <cstring>

namespace alknet {

result<std::unique_ptr<FileWatch>> FileWatch::open(Loop& loop, const std::filesystem::path& file,
                                                   FileWatchOptions options) {
    const std::filesystem::path directory = file.has_parent_path() ? file.parent_path() : ".";
    UniqueFd fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd) {
        return os_fail("inotify_init1", errno);
    }
    constexpr std::uint32_t kMask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                    IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                    IN_ONLYDIR;
    if (inotify_add_watch(fd.get(), directory.c_str(), kMask) < 0) {
        return os_fail("inotify_add_watch", errno, directory.native());
    }
    std::unique_ptr<FileWatch> watch(new FileWatch(loop, std::move(fd), file, options));
    ALKNET_CHECK(watch->readiness_.watch(watch->fd_.get()));
    return watch;
}

FileWatch::FileWatch(Loop& loop, UniqueFd fd, const std::filesystem::path& file,
                     FileWatchOptions options)
    : loop_(loop),
      fd_(std::move(fd)),
      readiness_(loop),
      file_(file),
      name_(file.filename()),
      options_(options),
      known_(stamp()) {}

FileWatch::Stamp FileWatch::stamp() const {
    struct stat found{};
    if (stat(file_.c_str(), &found) != 0) {
        return {};
    }
    return {.device = found.st_dev,
            .inode = found.st_ino,
            .size = found.st_size,
            .modified_s = found.st_mtim.tv_sec,
            .modified_ns = found.st_mtim.tv_nsec};
}

/// Reads all there is and notes whether it may concern the file.
result<void> FileWatch::read_events() {
    alignas(inotify_event) std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t got = read(fd_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            readiness_.would_block_reading();
            return got == 0 || errno == EAGAIN ? result<void>() : os_fail("read inotify", errno);
        }
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* const name = buffer.data() + at + sizeof event;
            at += sizeof event + event.len;
            gone_ = gone_ || (event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
            // The file itself; or too much happened to be told; or a link in the directory moved.
            const bool named = event.len > 0 && name_ == name;
            dirty_ = dirty_ || named || (event.mask & IN_Q_OVERFLOW) != 0 || stamp() != known_;
        }
    }
}

/// Waits until the directory is quiet, or it has taken too long.
task<result<void>> FileWatch::settle() {
    const TimePoint latest = time_after(loop_.now(), options_.longest);
    while (!gone_ && loop_.now() < latest) {
        const Duration rest = std::min(options_.quiet, latest - loop_.now());
        const auto more = co_await with_timeout(rest, readiness_.readable());
        if (!more) {
            if (more.error().is(errc::timeout)) {
                break;
            }
            co_return more;
        }
        ALKNET_CO_CHECK(read_events());
    }
    co_return {};
}

task<result<void>> FileWatch::changed() {
    ALKNET_CO_CHECK(read_events());
    while (!dirty_ && !gone_) {
        ALKNET_CO_CHECK(co_await readiness_.readable());
        ALKNET_CO_CHECK(read_events());
    }
    if (dirty_) {
        ALKNET_CO_CHECK(co_await settle());
        known_ = stamp();
        dirty_ = false;
        co_return {};
    }
    co_return fail(causes::kIo, file_.native() + ": the directory is gone");
}

}  // namespace alknet
