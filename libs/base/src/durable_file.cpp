#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>

namespace alknet {

namespace {

namespace fs = std::filesystem;

result<void> write_all(int fd, BytesView content, const fs::path& file) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno != EINTR) {
            return file_fail("write", errno, file);
        }
        content = content.subspan(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    if (::fsync(fd) != 0) {
        return file_fail("fsync", errno, file);
    }
    return {};
}

result<void> sync_directory(const fs::path& directory) {
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) {
        return file_fail("fsync", errno, directory);
    }
    return {};
}

// Another name beside `file`, which nobody else uses.
result<fs::path> partial_name(const fs::path& file) {
    std::array<std::byte, 8> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
        return os_fail("getrandom", errno);
    }
    fs::path partial = file;
    partial += "." + hex_encode(random) + ".new";
    return partial;
}

// Removes the name that a write began under, whatever came of it.
struct Unlinker {
    const fs::path& file;
    ~Unlinker() { ::unlink(file.c_str()); }
};

}  // namespace

std::unexpected<error> file_fail(std::string_view call, int number, const fs::path& file) {
    auto failure = os_fail(call, number, file.native());
    if (number == ENOSPC || number == EDQUOT) {
        return fail(causes::kDiskFull, failure.error().detail());
    }
    if (number == EROFS) {
        return fail(causes::kDiskReadOnly, failure.error().detail());
    }
    return failure;
}

result<void> write_durable_file(const fs::path& file, BytesView content,
                                const DurableFileOptions& options) {
    ALKNET_TRY(const fs::path partial, partial_name(file));
    UniqueFd fd(::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                       S_IRUSR | S_IWUSR));
    if (!fd) {
        return file_fail("create", errno, partial);
    }
    const Unlinker unlinker{partial};
    // The mode given to open() loses what the umask has.
    if (::fchmod(fd.get(), options.mode) != 0) {
        return file_fail("chmod", errno, partial);
    }
    ALKNET_CHECK(write_all(fd.get(), content, partial));
    if (options.before_naming) {
        ALKNET_CHECK(options.before_naming());
    }
    // link(), unlike rename(), never replaces.
    const int named = options.replace ? std::rename(partial.c_str(), file.c_str())
                                      : ::link(partial.c_str(), file.c_str());
    if (named != 0) {
        return errno == EEXIST && !options.replace ? fail(causes::kHomeExists, file.native())
                                                   : file_fail("create", errno, file);
    }
    return sync_directory(file.has_parent_path() ? file.parent_path() : ".");
}

}  // namespace alknet
