// What is left of the node when it is killed: a process that ends the sessions which the node has
// started and not ended. The kernel kills a child together with the node, but not what that has
// started itself.
//
// It is there from the first start of a program on, waits, and ends with the node. It is this
// program once more, so that it has nothing of the node's memory: a copy of that would stay what
// it was, secrets and all.
#pragma once

#include <sys/types.h>
#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <mutex>

namespace alknet::process {

/// Far more than a node has at a time; of a further one nothing is kept.
inline constexpr std::size_t kKeptSessionsMax = 64 << 10;

/// What the keeper is told.
struct KeptSession {
    pid_t id = 0;
    bool begins = false;
};

/// Only what a signal handler may call. That it cannot be told is nothing that could be mended.
void tell_keeper(int to, KeptSession session) noexcept;

/// Thread-safe.
class Keeper final {
public:
    /// Of this process, which has another after a fork; there to its end.
    static Keeper& own();
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

    /// Where it is told until the next call; starts it, if it is not there. A child tells of itself
    /// before it runs anything. Errors: kIo.
    result<UniqueFd> speak();
    /// A session has ended: its number may become another's.
    void forget(pid_t session) noexcept;

private:
    Keeper() = default;
    ~Keeper() = default;
    result<void> start();

    std::mutex mutex_;
    UniqueFd socket_;
    pid_t id_ = -1;
    pid_t owner_ = -1;
};

}  // namespace alknet::process
