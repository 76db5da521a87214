// Preloaded by disk_test.py: while the file $ALKNET_TEST_READ_ONLY is there, nothing can be written
// below $ALKNET_TEST_DISK, not even to files that are open: as on a disk that the kernel has
// remounted for reading after an error.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

bool is_read_only() noexcept {
    const char* const flag = std::getenv("ALKNET_TEST_READ_ONLY");
    return flag != nullptr && ::access(flag, F_OK) == 0;
}

bool is_on_disk(std::string_view path) noexcept {
    const char* const disk = std::getenv("ALKNET_TEST_DISK");
    return disk != nullptr && path.starts_with(disk);
}

// Of a file that is open; sockets and pipes are nowhere.
bool refuses(int fd) noexcept {
    struct stat status{};
    if (!is_read_only() || ::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    std::array<char, 64> link{};
    std::array<char, PATH_MAX> path{};
    (void)std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
    const ssize_t size = ::readlink(link.data(), path.data(), path.size());
    return size > 0 && is_on_disk({path.data(), static_cast<std::size_t>(size)});
}

// Paths that are relative to a directory's descriptor are looked at as those of the directory.
bool refuses(int directory, const char* path) noexcept {
    if (!is_read_only()) {
        return false;
    }
    if (path[0] == '/' || directory == AT_FDCWD) {
        return is_on_disk(path);
    }
    std::array<char, 64> link{};
    std::array<char, PATH_MAX> above{};
    (void)std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", directory);
    const ssize_t size = ::readlink(link.data(), above.data(), above.size());
    return size > 0 && is_on_disk({above.data(), static_cast<std::size_t>(size)});
}

bool writes(int flags) noexcept {
    return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
}

template <class Function>
Function* next(const char* name) noexcept {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

template <class Result>
Result refused() noexcept {
    errno = EROFS;
    return Result{-1};
}

int open_at(const char* name, int directory, const char* path, int flags, mode_t mode) noexcept {
    return writes(flags) && refuses(directory, path)
               ? refused<int>()
               : next<int(int, const char*, int, ...)>(name)(directory, path, flags, mode);
}

}  // namespace

#define ALKNET_MODE_OF(flags, mode)                         \
    mode_t mode = 0;                                        \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {           \
        va_list more;                                       \
        va_start(more, flags);                              \
        mode = static_cast<mode_t>(va_arg(more, unsigned)); \
        va_end(more);                                       \
    }

extern "C" {

int open(const char* path, int flags, ...) {
    ALKNET_MODE_OF(flags, mode)
    return open_at("openat", AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    ALKNET_MODE_OF(flags, mode)
    return open_at("openat64", AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char* path, int flags, ...) {
    ALKNET_MODE_OF(flags, mode)
    return open_at("openat", directory, path, flags, mode);
}
int openat64(int directory, const char* path, int flags, ...) {
    ALKNET_MODE_OF(flags, mode)
    return open_at("openat64", directory, path, flags, mode);
}
ssize_t write(int fd, const void* data, size_t size) {
    return refuses(fd) ? refused<ssize_t>()
                       : next<ssize_t(int, const void*, size_t)>("write")(fd, data, size);
}
ssize_t writev(int fd, const iovec* parts, int count) {
    return refuses(fd) ? refused<ssize_t>()
                       : next<ssize_t(int, const iovec*, int)>("writev")(fd, parts, count);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
    return refuses(fd)
               ? refused<ssize_t>()
               : next<ssize_t(int, const void*, size_t, off_t)>("pwrite")(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
    return refuses(fd)
               ? refused<ssize_t>()
               : next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64")(fd, data, size, at);
}
int ftruncate(int fd, off_t size) noexcept {
    return refuses(fd) ? refused<int>() : next<int(int, off_t)>("ftruncate")(fd, size);
}
int ftruncate64(int fd, off64_t size) noexcept {
    return refuses(fd) ? refused<int>() : next<int(int, off64_t)>("ftruncate64")(fd, size);
}
int rename(const char* from, const char* to) noexcept {
    return refuses(AT_FDCWD, to) ? refused<int>()
                                 : next<int(const char*, const char*)>("rename")(from, to);
}
int renameat(int from_at, const char* from, int to_at, const char* to) noexcept {
    return refuses(to_at, to) ? refused<int>()
                              : next<int(int, const char*, int, const char*)>("renameat")(
                                    from_at, from, to_at, to);
}
int unlink(const char* path) noexcept {
    return refuses(AT_FDCWD, path) ? refused<int>() : next<int(const char*)>("unlink")(path);
}
int unlinkat(int directory, const char* path, int flags) noexcept {
    return refuses(directory, path)
               ? refused<int>()
               : next<int(int, const char*, int)>("unlinkat")(directory, path, flags);
}
int link(const char* from, const char* to) noexcept {
    return refuses(AT_FDCWD, to) ? refused<int>()
                                 : next<int(const char*, const char*)>("link")(from, to);
}
int mkdir(const char* path, mode_t mode) noexcept {
    return refuses(AT_FDCWD, path) ? refused<int>()
                                   : next<int(const char*, mode_t)>("mkdir")(path, mode);
}

int statvfs(const char* path, struct statvfs* into) noexcept {
    const int result = next<int(const char*, struct statvfs*)>("statvfs")(path, into);
    if (result == 0 && refuses(AT_FDCWD, path)) {
        into->f_flag |= ST_RDONLY;
    }
    return result;
}

}  // extern "C"
