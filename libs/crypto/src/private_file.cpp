#include <alknet/crypto/private_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <array>
#include <cerrno>
#include <string>

#include "private_mode.hpp"
#include "sodium.hpp"

namespace alknet::crypto {

namespace {

std::unexpected<error> io_failure(const std::filesystem::path& file, const char* call) {
    return os_fail(call, errno, file.string());
}

result<void> write_all(int fd, BytesView content, const std::filesystem::path& file) {
    while (!content.empty()) {
        const ssize_t written = write(fd, content.data(), content.size());
        if (written < 0 && errno != EINTR) {
            return io_failure(file, "write");
        }
        content = content.subspan(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    if (fsync(fd) != 0) {
        return io_failure(file, "fsync");
    }
    return {};
}

result<void> sync_directory(const std::filesystem::path& directory) {
    const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || fsync(fd.get()) != 0) {
        return io_failure(directory, "fsync");
    }
    return {};
}

/// Removes the name that a write began under, whatever came of it.
struct Unlinker {
    const std::filesystem::path& file;
    ~Unlinker() { unlink(file.c_str()); }
};

}  // namespace

result<void> check_private_mode(unsigned mode, unsigned owner, unsigned self) {
    if (!S_ISREG(mode)) {
        return fail(causes::kHomeInvalid, "not a regular file");
    }
    if (owner != self && owner != 0) {
        return fail(causes::kHomeInvalid, "it belongs to another user");
    }
    if ((mode & (S_IRWXG | S_IRWXO)) != 0) {
        return fail(causes::kHomeInvalid, "others than its owner may open it; set its mode to 600");
    }
    return {};
}

result<SecretBytes> read_private_file(const std::filesystem::path& file) {
    // O_NONBLOCK: opening a FIFO must not hang.
    const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return errno == ENOENT ? fail(causes::kConfigMissing, file.string())
                               : io_failure(file, "open");
    }
    struct stat status{};
    if (fstat(fd.get(), &status) != 0) {
        return io_failure(file, "stat");
    }
    if (auto checked = check_private_mode(status.st_mode, status.st_uid, geteuid()); !checked) {
        return unexpected(std::move(checked).error().within(file.string()));
    }
    if (static_cast<std::uintmax_t>(status.st_size) > kPrivateFileBytesMax) {
        return fail(causes::kLimit, file.string() + " is larger than a key file can be");
    }
    SecretBytes content(static_cast<std::size_t>(status.st_size));
    std::size_t filled = 0;
    while (filled < content.size()) {
        const MutableBytes rest = content.span().subspan(filled);
        const ssize_t count = read(fd.get(), rest.data(), rest.size());
        if (count == 0) {
            return SecretBytes::copy_of(content.view().first(filled));
        }
        if (count < 0 && errno != EINTR) {
            return io_failure(file, "read");
        }
        filled += count < 0 ? 0 : static_cast<std::size_t>(count);
    }
    return content;
}

result<void> create_private_file(const std::filesystem::path& file, BytesView content) {
    start_sodium();
    std::array<std::byte, 8> random{};
    randombytes_buf(random.data(), random.size());
    std::filesystem::path partial = file;
    partial += "." + hex_encode(random) + ".new";

    UniqueFd fd(open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return io_failure(partial, "create");
    }
    const Unlinker unlinker{partial};
    // The mode given to open() loses what the umask has; a private file needs neither more nor
    // less.
    if (fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0) {
        return io_failure(partial, "chmod");
    }
    ALKNET_CHECK(write_all(fd.get(), content, partial));
    // link(), unlike rename(), never replaces.
    if (link(partial.c_str(), file.c_str()) != 0) {
        return errno == EEXIST ? fail(causes::kHomeExists, file.string())
                               : io_failure(file, "create");
    }
    return sync_directory(file.has_parent_path() ? file.parent_path() : ".");
}

}  // namespace alknet::crypto
