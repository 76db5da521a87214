// FdReadiness: turns a descriptor's edge-triggered readiness into waits. The pattern is: try the
// system call; on EAGAIN say so and wait; try again.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/poller.hpp>
#include <alknet/rt/wait.hpp>

namespace alknet {

class Loop;

class FdReadiness final : private FdEvents {
public:
    /// `fd` must stay open until this object is gone; it is not closed here.
    explicit FdReadiness(Loop& loop) noexcept : loop_(loop) {}
    FdReadiness(const FdReadiness&) = delete;
    FdReadiness& operator=(const FdReadiness&) = delete;
    ~FdReadiness();

    /// Errors: kIo.
    result<void> watch(int fd);
    /// Waits under way end with kClosed. Destruction does not wake them: destroy the waiters first.
    void unwatch() noexcept;

    /// Ends when the descriptor may be readable (writable) since the last `would_block_…`.
    /// Errors: kCancelled, kClosed.
    task<result<void>> readable();
    task<result<void>> writable();
    void would_block_reading() noexcept { readable_.clear(); }
    void would_block_writing() noexcept { writable_.clear(); }

private:
    void on_fd_events(bool readable, bool writable) noexcept override;
    task<result<void>> wait_for(Event& event);

    Loop& loop_;
    int fd_ = -1;
    Event readable_;
    Event writable_;
};

}  // namespace alknet
