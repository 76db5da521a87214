// Frames of several tasks on one stream: one after the other, in the order in which they ask.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/wait.hpp>

namespace alknet::call {

class WriteTurn {
public:
    /// A cancelled write may have left a part of the frame behind: the stream is of no further use.
    task<result<void>> write(BiStream& stream, Bytes frame) {
        while (taken_) {
            ALKNET_CO_CHECK(co_await waiting_.wait());
        }
        taken_ = true;
        result<void> written;
        if (broken_) {
            written = fail(causes::kClosed);
        } else {
            written = co_await stream.write(frame);
        }
        taken_ = false;
        broken_ = broken_ || !written;
        waiting_.wake_one();
        co_return written;
    }

    /// After what waits for its turn. Once: later writes fail, and later ends do nothing.
    task<void> finish(BiStream& stream) {
        while (taken_) {
            if (!co_await waiting_.wait()) {
                co_return;
            }
        }
        if (!broken_) {
            taken_ = true;
            broken_ = true;
            (void)co_await stream.finish();
            taken_ = false;
        }
        waiting_.wake_one();
    }

    [[nodiscard]] bool taken() const noexcept { return taken_; }

private:
    bool taken_ = false;
    bool broken_ = false;
    WaitList waiting_;
};

}  // namespace alknet::call
