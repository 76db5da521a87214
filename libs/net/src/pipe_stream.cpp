#include <alknet/net/pipe_stream.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <cerrno>

#include "turn_budget.hpp"

namespace alknet::net {

namespace {

class Half {
public:
    explicit Half(Loop& loop) noexcept : loop_(loop), readiness_(loop) {}

    result<void> open(UniqueFd fd) {
        fd_ = std::move(fd);
        if (!fd_) {
            return {};
        }
        const int flags = fcntl(fd_.get(), F_GETFL);
        if (flags < 0 || fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
            return os_fail("O_NONBLOCK", errno);
        }
        return readiness_.watch(fd_.get());
    }
    void close() noexcept {
        readiness_.unwatch();  // wakes who waits
        fd_.reset();
    }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] bool closed() const noexcept { return !fd_; }

    task<result<void>> wait(bool reading) {
        if (closed()) {
            return closed_already();
        }
        if (budget.spent()) {
            return budget.renew(loop_);
        }
        return reading ? readiness_.readable() : readiness_.writable();
    }
    void would_block(bool reading) noexcept {
        reading ? readiness_.would_block_reading() : readiness_.would_block_writing();
        budget.refill();
    }

    TurnBudget budget;

private:
    static task<result<void>> closed_already() { co_return fail(causes::kClosed); }

    Loop& loop_;
    UniqueFd fd_;  // open until it is not watched any more
    FdReadiness readiness_;
};

bool may_retry(int number) noexcept {
    return number == EAGAIN || number == EINTR;
}

class PipeStream final : public ByteStream {
public:
    explicit PipeStream(Loop& loop) noexcept : in_(loop), out_(loop) {}

    result<void> open(UniqueFd in, UniqueFd out) {
        ALKNET_CHECK(in_.open(std::move(in)));
        return out_.open(std::move(out));
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
        if (count < 0 && !may_retry(errno)) {
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
        if (count < 0 && !may_retry(errno)) {
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
    Half in_;
    Half out_;
};

}  // namespace

result<std::unique_ptr<ByteStream>> make_pipe_stream(Loop& loop, UniqueFd in, UniqueFd out) {
    auto stream = std::make_unique<PipeStream>(loop);
    ALKNET_CHECK(stream->open(std::move(in), std::move(out)));
    return stream;
}

}  // namespace alknet::net
