// A poller without descriptors, for loops on virtual time.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/rt/poller.hpp>
#include <condition_variable>
#include <mutex>

namespace alknet::sim {

/// A wait with a timeout ends at once: virtual time does not pass by waiting. A wait without one is
/// for another thread's `wake`, and blocks until it comes.
class IdlePoller final : public Poller {
public:
    /// Errors: always kIo.
    result<void> add(int, FdEvents&) override {
        return fail(causes::kIo, "this loop has no descriptors");
    }
    void remove(int, FdEvents&) noexcept override {}
    void tell_writable(int, FdEvents&, bool) noexcept override {}
    void wait(std::optional<Duration> timeout) override {
        std::unique_lock lock(mutex_);
        if (!timeout) {
            wake_up_.wait(lock, [this] { return woken_; });
        }
        woken_ = false;
    }
    void dispatch() override {}
    void wake() noexcept override {
        {
            const std::lock_guard lock(mutex_);
            woken_ = true;
        }
        wake_up_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable wake_up_;
    bool woken_ = false;
};

}  // namespace alknet::sim
