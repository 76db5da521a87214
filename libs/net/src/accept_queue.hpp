// The accepting side of a listening socket, TCP or unix.
#pragma once

#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/time.hpp>

#include "turn_budget.hpp"

namespace alknet::net {

class AcceptQueue {
public:
    /// How long the next accept waits after the system ran out of descriptors or memory. The
    /// connection that could not be accepted stays in the queue, so there is no event to wait for.
    static constexpr Duration kBackOff = std::chrono::milliseconds(100);
    static constexpr int kBacklog = 1024;

    AcceptQueue(Loop& loop, UniqueFd fd) noexcept
        : loop_(loop), fd_(std::move(fd)), readiness_(loop) {}

    /// Errors: kIo.
    result<void> listen();
    /// Errors: kCancelled; kIo when descriptors or memory are short.
    task<result<UniqueFd>> accept();
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

private:
    Loop& loop_;
    UniqueFd fd_;
    FdReadiness readiness_;
    TurnBudget budget_;
    bool back_off_ = false;
};

}  // namespace alknet::net
