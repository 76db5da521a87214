// Signals: the process's signals as something to await (signalfd: no handler, no global state).
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/task.hpp>
#include <csignal>
#include <memory>
#include <span>

namespace alknet {

class Signals final {
public:
    /// Takes `numbers` (SIGTERM, SIGHUP, …) away from their default actions. They are blocked in
    /// the calling thread and in those that it starts: call it in main before anything else starts
    /// one, and unblock them in child processes. Errors: kIo.
    static result<std::unique_ptr<Signals>> open(Loop& loop, std::span<const int> numbers);

    /// What came and was not awaited is forgotten; from then on they act as before `open`.
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    /// The next signal. One that comes several times before it is awaited comes once; one that was
    /// not awaited waits. Errors: kCancelled, kIo.
    task<result<int>> next();

private:
    Signals(Loop& loop, UniqueFd fd, const sigset_t& before);

    UniqueFd fd_;
    FdReadiness readiness_;  // before the descriptor closes, it is let go
    sigset_t before_;
};

}  // namespace alknet
