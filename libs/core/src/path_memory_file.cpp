#include <alknet/core/path_memory_file.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>

namespace alknet {

namespace {

using std::filesystem::path;

/// At most one octet more than `limit`: enough to tell that it is too long.
result<std::string> read_text(const path& file, std::size_t limit) {
    const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return errno == ENOENT ? fail(causes::kConfigMissing, file.string())
                               : os_fail("open", errno, file.string());
    }
    std::string text;
    std::array<char, 4096> buffer{};
    while (text.size() <= limit) {
        const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
        if (count == 0) {
            break;
        }
        if (count < 0 && errno != EINTR) {
            return os_fail("read", errno, file.string());
        }
        text.append(buffer.data(), count < 0 ? 0 : static_cast<std::size_t>(count));
    }
    return text;
}

result<void> write_text(const path& file, std::string_view text) {
    const UniqueFd fd(
        open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return os_fail("create", errno, file.string());
    }
    while (!text.empty()) {
        const ssize_t count = write(fd.get(), text.data(), text.size());
        if (count < 0 && errno != EINTR) {
            return os_fail("write", errno, file.string());
        }
        text.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
    }
    return fsync(fd.get()) == 0 ? result<void>() : os_fail("fsync", errno, file.string());
}

path with_suffix(path file, const char* suffix) {
    file += suffix;
    return file;
}

}  // namespace

PathMemory load_path_memory(const path& file, const Log& log) {
    auto text = read_text(file, PathMemory::kTextBytesMax);
    if (!text && text.error().is(causes::kConfigMissing)) {
        return {};
    }
    auto memory =
        text ? PathMemory::parse(*text) : result<PathMemory>(unexpected(std::move(text).error()));
    if (!memory) {
        log.warn("paths.ignored", {{"file", file.string()}, {"detail", memory.error().detail()}});
        return {};
    }
    return std::move(*memory);
}

result<void> save_path_memory(const path& file, const PathMemory& memory) {
    const path lock_file = with_suffix(file, ".lock");
    const UniqueFd lock(open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) {
        return os_fail("create", errno, lock_file.string());
    }
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? result<void>() : os_fail("flock", errno, lock_file.string());
    }
    PathMemory all = load_path_memory(file, Log());
    all.merge(memory);
    // Under the lock nobody else uses this name.
    const path partial = with_suffix(file, ".new");
    auto written = write_text(partial, all.to_text());
    if (written && rename(partial.c_str(), file.c_str()) != 0) {
        written = os_fail("rename", errno, file.string());
    }
    if (!written) {
        unlink(partial.c_str());
    }
    return written;
}

NetworkIdentity current_network() {
    constexpr std::size_t kRoutesBytesMax = 256 << 10;
    const auto text = read_text("/proc/net/route", kRoutesBytesMax);
    return text ? identify_network(*text) : NetworkIdentity();
}

}  // namespace alknet
