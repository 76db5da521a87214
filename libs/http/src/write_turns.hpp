// Who writes on a stream, where that may be several: whoever reads a body says 100 Continue,
// perhaps while somebody else answers already.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>

namespace alknet::http {

class WriteTurns {
public:
    /// One write, from its first octet to its last.
    class Turn {
    public:
        explicit Turn(WriteTurns& turns) noexcept : turns_(turns) {
            turns_.taken_ = true;
            turns_.cut_ = true;
        }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn() {
            turns_.taken_ = false;
            turns_.waiting_.wake_all();
        }
        /// The stream has all of it. Without that nothing may follow on it.
        void complete() noexcept { turns_.cut_ = false; }

    private:
        WriteTurns& turns_;
    };

    [[nodiscard]] bool free() const noexcept { return !taken_ && !cut_; }
    /// Until it is free. Errors: kCancelled; kClosed after a write that was not completed.
    task<result<void>> wait() {
        while (taken_) {
            ALKNET_CO_CHECK(co_await waiting_.wait());
        }
        co_return cut_ ? fail(causes::kClosed, "a write was cut") : result<void>();
    }

private:
    WaitList waiting_;
    bool taken_ = false;
    bool cut_ = false;
};

}  // namespace alknet::http
