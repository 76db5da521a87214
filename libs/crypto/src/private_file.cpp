#include <alknet/crypto/private_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/unique_fd.hpp>
#include <cerrno>
#include <string>

#include "private_mode.hpp"

namespace alknet::crypto {

namespace {

std::unexpected<error> io_failure(const std::filesystem::path& file, const char* call) {
    return file_fail(call, errno, file);
}

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
    return write_durable_file(file, content, {.replace = false, .mode = S_IRUSR | S_IWUSR});
}

}  // namespace alknet::crypto
