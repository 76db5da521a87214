#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/identity/authorized_keys.hpp>
#include <cerrno>
#include <system_error>

namespace alknet::identity {

namespace {

namespace fs = std::filesystem;

result<void> check_modes(const fs::path& path, const struct stat& status) {
    if (status.st_uid != ::geteuid() && status.st_uid != 0) {
        return fail(causes::kHomeInvalid, path.native() + " belongs to another user");
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fail(causes::kHomeInvalid,
                    "others can write to " + path.native() + ": chmod go-w it");
    }
    return {};
}

// Who can write to a directory can put another file there.
result<void> check_directories(const fs::path& file, const std::vector<fs::path>& trusted) {
    for (fs::path at = file.parent_path();; at = at.parent_path()) {
        struct stat status{};
        if (::stat(at.c_str(), &status) != 0) {
            return os_fail("stat", errno, at.native());
        }
        ALKNET_CHECK(check_modes(at, status));
        if (at == at.parent_path() || std::ranges::find(trusted, at) != trusted.end()) {
            return {};
        }
    }
}

result<std::string> read_all(int fd, const fs::path& file) {
    // One octet more than is allowed, so that the parser can say that there is too much.
    std::string text(kAuthorizedFileBytesMax + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
        if (got < 0 && errno != EINTR) {
            return os_fail("read", errno, file.native());
        }
        if (got == 0) {
            break;
        }
        size += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    }
    text.resize(size);
    return text;
}

}  // namespace

result<std::string> read_authorized_keys(const fs::path& file,
                                         const std::vector<fs::path>& trusted) {
    std::error_code failure;
    const fs::path real = fs::canonical(file, failure);
    if (failure) {
        return failure == std::errc::no_such_file_or_directory
                   ? fail(causes::kConfigMissing, "there is no " + file.native())
                   : os_fail("open", failure.value(), file.native());
    }
    std::vector<fs::path> ends;
    for (const fs::path& one : trusted) {
        const fs::path end = fs::canonical(one, failure);
        if (!failure) {
            ends.push_back(end);
        }
    }
    const UniqueFd fd(::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        return os_fail("open", errno, real.native());
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(causes::kHomeInvalid, real.native() + " is not a regular file");
    }
    ALKNET_CHECK(check_modes(real, status));
    ALKNET_CHECK(check_directories(real, ends));
    return read_all(fd.get(), real);
}

}  // namespace alknet::identity
