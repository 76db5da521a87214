#include <alknet/core/known_nodes_file.hpp>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/loop.hpp>
#include <array>
#include <cerrno>
#include <string>

namespace alknet {

namespace {

constexpr Duration kLockRetry = std::chrono::milliseconds(10);

// Locks of an open file description (fcntl(2)): they end with it, also when its process is killed,
// and work between two dials of one process. Octet 0 is for the file, the others for first contacts
// by their number.
struct flock octet(std::uint64_t at) {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(at);
    lock.l_len = 1;
    return lock;
}

/// False if somebody else has it.
result<bool> try_lock(int fd, std::uint64_t at, const std::filesystem::path& file) {
    struct flock lock = octet(at);
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) {
        return true;
    }
    return errno == EAGAIN || errno == EACCES ? result<bool>(false)
                                              : os_fail("lock", errno, file.native());
}

bool is_locked(int fd, std::uint64_t at) {
    struct flock lock = octet(at);
    return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/// At most one octet more than what is allowed: enough to tell that it is too long.
result<std::string> read_text(int fd, const std::filesystem::path& file) {
    std::string text;
    std::array<char, 16384> buffer{};
    while (text.size() <= KnownNodes::kTextBytesMax) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count == 0) {
            break;
        }
        if (count < 0 && errno != EINTR) {
            return os_fail("read", errno, file.native());
        }
        text.append(buffer.data(), count < 0 ? 0 : static_cast<std::size_t>(count));
    }
    return text;
}

}  // namespace

result<KnownNodes> KnownNodesFile::load() const {
    const UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return errno == ENOENT ? result<KnownNodes>(KnownNodes())
                               : os_fail("open", errno, file_.native());
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) {
        return os_fail("stat", errno, file_.native());
    }
    // Whoever writes here decides who is believed.
    if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() ||
        (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fail(causes::kHomeInvalid, file_.native() +
                                              " must be a file that belongs to this user and that "
                                              "nobody else can write");
    }
    ALKNET_TRY(const std::string text, read_text(fd.get(), file_));
    auto known = KnownNodes::parse(text);
    if (!known) {
        return unexpected(std::move(known).error().within(file_.native()));
    }
    return known;
}

result<UniqueFd> KnownNodesFile::open_lock() const {
    std::filesystem::path name = file_;
    name += ".lock";
    UniqueFd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return file_fail("create", errno, name);
    }
    return fd;
}

result<void> KnownNodesFile::rewrite(int lock, const Work& work) const {
    ALKNET_TRY(KnownNodes known, load());
    const std::string before = known.to_text();
    known.drop_dead([lock](std::uint64_t nonce) { return is_locked(lock, nonce); });
    ALKNET_CHECK(work(known));
    const std::string after = known.to_text();
    return before == after ? result<void>()
                           : write_durable_file(file_, as_bytes(after), {.replace = true});
}

task<result<void>> KnownNodesFile::change(Loop& loop, Work work) const {
    ALKNET_CO_TRY(const UniqueFd lock, open_lock());
    const TimePoint deadline = loop.now() + kLockPatience;
    for (;;) {
        ALKNET_CO_TRY(const bool locked, try_lock(lock.get(), 0, file_));
        if (locked) {
            co_return rewrite(lock.get(), work);
        }
        if (loop.now() >= deadline) {
            co_return fail(causes::kStoreBusy, file_.native() + ".lock");
        }
        ALKNET_CO_CHECK(co_await loop.sleep(kLockRetry));
    }
}

result<KnownNodesFile::Hold> KnownNodesFile::hold() const {
    Hold held;
    ALKNET_TRY(held.lock, open_lock());
    for (;;) {
        if (::getrandom(&held.nonce, sizeof(held.nonce), 0) !=
            static_cast<ssize_t>(sizeof(held.nonce))) {
            return os_fail("getrandom", errno);
        }
        held.nonce >>= 2;  // a position in a file has 63 bits
        if (held.nonce != 0) {
            ALKNET_TRY(const bool locked, try_lock(held.lock.get(), held.nonce, file_));
            if (locked) {
                return held;
            }
        }
    }
}

}  // namespace alknet
