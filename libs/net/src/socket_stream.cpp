#include "socket_stream.hpp"

#include <sys/socket.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/loop.hpp>
#include <cerrno>

namespace alknet::net {

namespace {

// What is thrown away of what had arrived when a finished stream is closed unread.
constexpr std::size_t kDiscardBytes = 1 << 20;

std::unexpected<error> failure(const char* call, int number) {
    switch (number) {
        case ECONNRESET:
        case EPIPE:
        case ENOTCONN:
        case ECONNABORTED:
            return fail(causes::kReset);
        case ETIMEDOUT:  // no answer to keep-alive, or to what we sent
            return fail(causes::kIdleTimeout);
        default:
            return os_fail(call, number);
    }
}

}  // namespace

result<std::unique_ptr<SocketStream>> SocketStream::adopt(Loop& loop, UniqueFd fd) {
    auto stream = std::make_unique<SocketStream>(loop, std::move(fd));
    ALKNET_CHECK(stream->readiness_.watch(stream->fd_.get()));
    return stream;
}

SocketStream::~SocketStream() {
    if (!finished_) {
        abort();
    } else if (fd_ && !ended_) {
        // Closing over unread bytes makes the system reset the connection, and the peer might lose
        // what we wrote. (What arrives after this still does that.)
        (void)recv(fd_.get(), nullptr, kDiscardBytes, MSG_TRUNC | MSG_DONTWAIT);
    }
}

result<std::optional<std::size_t>> SocketStream::try_read(MutableBytes into) {
    ALKNET_ASSERT(!into.empty());
    if (!fd_ || stopped_) {
        return fail(causes::kClosed);
    }
    if (ended_) {
        return std::optional<std::size_t>(0);
    }
    if (reading_.spent()) {
        return std::nullopt;
    }
    for (;;) {
        const ssize_t count = recv(fd_.get(), into.data(), into.size(), MSG_DONTWAIT);
        if (count >= 0) {
            ended_ = count == 0;
            reading_.spend(static_cast<std::size_t>(count));
            return std::optional(static_cast<std::size_t>(count));
        }
        if (errno == EAGAIN) {
            readiness_.would_block_reading();
            reading_.refill();
            return std::nullopt;
        }
        if (errno != EINTR) {
            return failure("recv", errno);
        }
    }
}

result<std::size_t> SocketStream::try_write(BytesView data) {
    if (!fd_ || finished_) {
        return fail(causes::kClosed);
    }
    if (writing_.spent()) {
        return 0;
    }
    for (;;) {
        const ssize_t count =
            send(fd_.get(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count >= 0) {
            writing_.spend(static_cast<std::size_t>(count));
            return static_cast<std::size_t>(count);
        }
        if (errno == EAGAIN) {
            readiness_.would_block_writing();
            writing_.refill();
            return 0;
        }
        if (errno != EINTR) {
            return failure("send", errno);
        }
    }
}

task<result<void>> SocketStream::readable() {
    return reading_.spent() ? reading_.renew(loop_) : readiness_.readable();
}

task<result<void>> SocketStream::writable() {
    return writing_.spent() ? writing_.renew(loop_) : readiness_.writable();
}

task<result<void>> SocketStream::finish() {
    if (!fd_) {
        co_return fail(causes::kClosed);
    }
    if (!std::exchange(finished_, true) && !finish_by_closing_ &&
        shutdown(fd_.get(), SHUT_WR) != 0) {
        co_return failure("shutdown", errno);
    }
    co_return result<void>{};
}

void SocketStream::reset(std::uint64_t) noexcept {
    abort();
}

void SocketStream::stop(std::uint64_t) noexcept {
    if (fd_ && !std::exchange(stopped_, true)) {
        shutdown(fd_.get(), SHUT_RD);  // wakes who reads
    }
}

/// TCP sends a reset; a unix socket just ends.
void SocketStream::abort() noexcept {
    if (fd_) {
        const linger none{.l_onoff = 1, .l_linger = 0};
        setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
        readiness_.unwatch();  // wakes who waits
        fd_.reset();
    }
}

}  // namespace alknet::net
