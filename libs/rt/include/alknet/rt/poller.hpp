// What a Loop asks of the operating system: which descriptors are ready, and to be woken from
// another thread. EpollPoller is the real one; a simulation gives one that has no descriptors.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/time.hpp>
#include <cstdint>
#include <memory>
#include <optional>

namespace alknet {

/// Receives readiness. `add` registers edge-triggered for both directions; an implementation keeps
/// what it was told until an operation says EAGAIN.
class FdEvents {
public:
    virtual void on_fd_events(bool readable, bool writable) noexcept = 0;

protected:
    ~FdEvents() = default;
};

class Poller {
public:
    virtual ~Poller() = default;
    /// `events` must be removed before it dies and before `fd` is closed. Errors: kIo.
    virtual result<void> add(int fd, FdEvents& events) = 0;
    virtual void remove(int fd, FdEvents& events) noexcept = 0;
    /// Whether writability is told from now on, at once if it is there; it is after `add`. A UDP
    /// socket gets writable each time one of its datagrams has left, so it asks only while blocked.
    virtual void tell_writable(int fd, FdEvents& events, bool wanted) noexcept = 0;
    /// Waits at most `timeout`, for ever without one, for something that `dispatch` can tell.
    virtual void wait(std::optional<Duration> timeout) = 0;
    /// Tells the registered events what the last `wait` found.
    virtual void dispatch() = 0;
    /// Ends a `wait` that runs in another thread, or the next one. The only thread-safe member.
    virtual void wake() noexcept = 0;
};

/// Errors: kIo when the process is out of descriptors.
[[nodiscard]] result<std::unique_ptr<Poller>> make_epoll_poller();

}  // namespace alknet
