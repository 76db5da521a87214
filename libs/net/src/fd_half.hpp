// One direction of a stream over a file descriptor: the descriptor, its readiness, its turns.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/loop.hpp>
#include <cerrno>
#include <utility>

#include "turn_budget.hpp"

namespace alknet::net {

class FdHalf {
public:
    explicit FdHalf(Loop& loop) noexcept : loop_(loop), readiness_(loop) {}

    /// Takes the descriptor, and fails with kIo where epoll has no use for it: what was taken
    /// stays.
    result<void> watch(UniqueFd fd) {
        fd_ = std::move(fd);
        return readiness_.watch(fd_.get());
    }
    void close() noexcept {
        readiness_.unwatch();  // wakes who waits
        fd_.reset();
    }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] bool closed() const noexcept { return !fd_; }

    /// Until the descriptor may be ready, or the loop has had its turn. Errors: kCancelled,
    /// kClosed.
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
    /// Whether a call that failed with this errno is to be made again once the descriptor is ready.
    static bool may_retry(int number) noexcept { return number == EAGAIN || number == EINTR; }

    TurnBudget budget;

private:
    static task<result<void>> closed_already() { co_return fail(causes::kClosed); }

    Loop& loop_;
    UniqueFd fd_;  // open until it is not watched any more
    FdReadiness readiness_;
};

}  // namespace alknet::net
