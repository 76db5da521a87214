#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/net/stdio_stream.hpp>
#include <cerrno>

#include "fd_half.hpp"

namespace alknet::net {

namespace {

constexpr std::size_t kFileBytes = 64 << 10;

/// One descriptor in blocking mode, of which poll() tells whether it would block.
class BlockingHalf : public FdHalf {
public:
    using FdHalf::FdHalf;

    result<void> open(UniqueFd fd) {
        struct stat status{};
        if (fstat(fd.get(), &status) != 0) {
            return os_fail("fstat", errno);
        }
        is_socket_ = S_ISSOCK(status.st_mode);
        const result<void> watched = watch(std::move(fd));
        watched_ = watched.has_value();
        // epoll has no use for files and for some devices: those never block.
        const bool may_block = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
        return may_block ? watched : result<void>();
    }

    /// Of an output: its reader sees the end, even where the input is the same socket.
    void finish() noexcept {
        if (is_socket_) {
            (void)::shutdown(fd(), SHUT_WR);
        }
        close();
    }

    [[nodiscard]] bool is_file() const noexcept { return !watched_; }

    [[nodiscard]] bool ready(short events) noexcept {
        if (!watched_) {
            return true;
        }
        pollfd state{.fd = fd(), .events = events, .revents = 0};
        return poll(&state, 1, 0) != 0;
    }

private:
    bool watched_ = false;
    bool is_socket_ = false;
};

class StdioStream final : public ByteStream {
public:
    explicit StdioStream(Loop& loop) noexcept : in_(loop), out_(loop) {}

    result<void> open(UniqueFd in, UniqueFd out) {
        ALKNET_CHECK(in_.open(std::move(in)));
        return out_.open(std::move(out));
    }

    result<std::optional<std::size_t>> try_read(MutableBytes into) override {
        ALKNET_ASSERT(!into.empty());
        if (in_.closed()) {
            return fail(causes::kClosed);
        }
        if (ended_) {
            return std::optional<std::size_t>(0);
        }
        if (in_.budget.spent()) {
            return std::nullopt;
        }
        ssize_t count = -1;
        errno = EAGAIN;
        if (in_.ready(POLLIN)) {
            count = ::read(in_.fd(), into.data(), std::min(into.size(), kFileBytes));
        }
        if (count < 0) {
            if (!FdHalf::may_retry(errno)) {
                return os_fail("read", errno, "standard input");
            }
            in_.would_block(true);
            return std::nullopt;
        }
        ended_ = count == 0;
        in_.budget.spend(static_cast<std::size_t>(count));
        return std::optional(static_cast<std::size_t>(count));
    }

    result<std::size_t> try_write(BytesView data) override {
        if (out_.closed()) {
            return fail(causes::kClosed);
        }
        if (out_.budget.spent()) {
            return 0;
        }
        // A pipe that is writable takes PIPE_BUF octets without blocking.
        const std::size_t most = out_.is_file() ? kFileBytes : PIPE_BUF;
        ssize_t count = -1;
        errno = EAGAIN;
        if (out_.ready(POLLOUT)) {
            count = ::write(out_.fd(), data.data(), std::min(data.size(), most));
        }
        if (count < 0) {
            if (errno == EPIPE) {
                return fail(causes::kReset, "nobody reads the standard output");
            }
            if (!FdHalf::may_retry(errno)) {
                return os_fail("write", errno, "standard output");
            }
            out_.would_block(false);
            return 0;
        }
        out_.budget.spend(static_cast<std::size_t>(count));
        return static_cast<std::size_t>(count);
    }

    task<result<void>> readable() override { return in_.wait(true); }
    task<result<void>> writable() override { return out_.wait(false); }

    task<result<void>> finish() override {
        out_.finish();
        co_return result<void>{};
    }
    void reset(std::uint64_t) noexcept override { out_.close(); }
    void stop(std::uint64_t) noexcept override { in_.close(); }

private:
    BlockingHalf in_;
    BlockingHalf out_;
    bool ended_ = false;
};

/// Puts /dev/null in the place of `fd`, and gives what was there, or /dev/null too.
result<UniqueFd> take_over(int fd) {
    UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) {
        return os_fail("open", errno, "/dev/null");
    }
    UniqueFd taken(fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!taken) {
        return null;  // the process was started without it
    }
    if (dup2(null.get(), fd) < 0) {
        return os_fail("dup2", errno, "/dev/null");
    }
    return taken;
}

}  // namespace

result<std::unique_ptr<ByteStream>> make_fd_stream(Loop& loop, UniqueFd in, UniqueFd out) {
    auto stream = std::make_unique<StdioStream>(loop);
    ALKNET_CHECK(stream->open(std::move(in), std::move(out)));
    return stream;
}

result<std::unique_ptr<ByteStream>> make_stdio_stream(Loop& loop) {
    ALKNET_TRY(UniqueFd in, take_over(STDIN_FILENO));
    ALKNET_TRY(UniqueFd out, take_over(STDOUT_FILENO));
    return make_fd_stream(loop, std::move(in), std::move(out));
}

}  // namespace alknet::net
