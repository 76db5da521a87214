// A connected TCP or unix stream socket as a ByteStream.
#pragma once

#include <alknet/base/unique_fd.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <memory>

#include "turn_budget.hpp"

namespace alknet::net {

class SocketStream final : public ByteStream {
public:
    /// Errors: kIo.
    static result<std::unique_ptr<SocketStream>> adopt(Loop& loop, UniqueFd fd);
    SocketStream(Loop& loop, UniqueFd fd) noexcept
        : loop_(loop), fd_(std::move(fd)), readiness_(loop) {}
    SocketStream(const SocketStream&) = delete;
    SocketStream& operator=(const SocketStream&) = delete;
    ~SocketStream() override;

    result<std::optional<std::size_t>> try_read(MutableBytes into) override;
    result<std::size_t> try_write(BytesView data) override;
    task<result<void>> readable() override;
    task<result<void>> writable() override;
    task<result<void>> finish() override;
    /// A socket knows no codes, and cannot break one direction alone: the connection is gone.
    void reset(std::uint64_t code) noexcept override;
    void stop(std::uint64_t code) noexcept override;
    /// From now on `finish` is told to the peer when the stream is destroyed, and not before.
    void finish_by_closing() noexcept { finish_by_closing_ = true; }

private:
    void abort() noexcept;

    Loop& loop_;
    UniqueFd fd_;
    FdReadiness readiness_;
    TurnBudget reading_;
    TurnBudget writing_;
    bool finished_ = false;  // by us
    bool finish_by_closing_ = false;
    bool ended_ = false;  // by the peer, and we have read it all
    bool stopped_ = false;
};

}  // namespace alknet::net
