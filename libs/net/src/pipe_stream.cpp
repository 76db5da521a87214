#include <alknet/net/pipe_stream.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/os_error.hpp>
#include <cerrno>

#include "fd_half.hpp"

namespace alknet::net {

namespace {

/// Makes `fd` non-blocking; none stays closed.
result<void> open(FdHalf& half, UniqueFd fd) {
    if (!fd) {
        return {};
    }
    const int flags = fcntl(fd.get(), F_GETFL);
    if (flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
        return os_fail("O_NONBLOCK", errno);
    }
    return half.watch(std::move(fd));
}

class PipeStream final : public ByteStream {
public:
    explicit PipeStream(Loop& loop) noexcept : in_(loop), out_(loop) {}

    result<void> open(UniqueFd in, UniqueFd out) {
        ALKNET_CHECK(net::open(in_, std::move(in)));
        return net::open(out_, std::move(out));
    }

    result<std::optional<std::size_t>> try_read(MutableBytes into) override {
        ALKNET_ASSERT(!into.empty());
        if (in_.closed()) {
            return fail(causes::kClosed);
        }
        if (in_.budget.spent()) {
            return std::nullopt;
        }
        const ssize_t count = ::read(in_.fd(), into.data(), into.size());
        if (count < 0 && errno == EIO) {
            return std::optional<std::size_t>(0);
        }
        if (count < 0 && !FdHalf::may_retry(errno)) {
            return os_fail("read", errno, "a pipe");
        }
        if (count < 0) {
            in_.would_block(true);
            return std::nullopt;
        }
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
        const ssize_t count = ::write(out_.fd(), data.data(), data.size());
        if (count < 0 && (errno == EPIPE || errno == EIO)) {
            return fail(causes::kReset, "nobody reads the pipe");
        }
        if (count < 0 && !FdHalf::may_retry(errno)) {
            return os_fail("write", errno, "a pipe");
        }
        if (count < 0) {
            out_.would_block(false);
            return 0;
        }
        out_.budget.spend(static_cast<std::size_t>(count));
        return static_cast<std::size_t>(count);
    }

    task<result<void>> readable() override { return in_.wait(true); }
    task<result<void>> writable() override { return out_.wait(false); }

    task<result<void>> finish() override {
        out_.close();
        co_return result<void>{};
    }
    void reset(std::uint64_t) noexcept override { out_.close(); }
    void stop(std::uint64_t) noexcept override { in_.close(); }

private:
    FdHalf in_;
    FdHalf out_;
};

}  // namespace

result<std::unique_ptr<ByteStream>> make_pipe_stream(Loop& loop, UniqueFd in, UniqueFd out) {
    auto stream = std::make_unique<PipeStream>(loop);
    ALKNET_CHECK(stream->open(std::move(in), std::move(out)));
    return stream;
}

}  // namespace alknet::net
