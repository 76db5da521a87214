// Frames of several tasks on one stream: in the order in which they ask, and what waits together.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/intrusive_list.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <optional>
#include <utility>

namespace alknet::call {

class WriteTurn {
public:
    /// `gathers`: a frame waits for those of the other tasks that are ready. That is worth a turn
    /// of the loop where each write is a record and a system call; QUIC puts into one packet what
    /// is written in one turn.
    WriteTurn(Loop& loop, bool gathers) : loop_(loop), gathers_(gathers) {}

    /// What waits is written as one, by whoever of its tasks comes first. A cancelled write may
    /// have left a part of a frame behind: the stream is of no further use.
    task<result<void>> write(BiStream& stream, Bytes frame) {
        Waiting self;
        self.frame = std::move(frame);
        queue_.push_back(self);
        while (!self.outcome) {
            if (!taken_) {
                co_await write_waiting(stream, self);
            } else if (self.carried) {
                (void)co_await changed_.wait_uncancellable();
            } else if (const auto woken = co_await changed_.wait();
                       !woken && !self.carried && !self.outcome) {
                self.unlink();
                changed_.wake_all();
                co_return woken;
            }
        }
        co_return *std::move(self.outcome);
    }

    /// After what waits for its turn. Once: later writes fail, and later ends do nothing.
    task<void> finish(BiStream& stream) {
        while (taken_ || !queue_.empty()) {
            if (!co_await changed_.wait()) {
                co_return;
            }
        }
        if (!broken_) {
            taken_ = true;
            broken_ = true;
            (void)co_await stream.finish();
            taken_ = false;
        }
        changed_.wake_all();
    }

    [[nodiscard]] bool taken() const noexcept { return taken_; }

private:
    struct Waiting : ListHook<struct WriteTag> {
        Bytes frame;
        bool carried = false;  // being written by another task, and perhaps on its way already
        std::optional<result<void>> outcome{};
    };
    /// So that nobody waits for much more than was there when it came.
    static constexpr std::size_t kTogetherMax = 64 << 10;

    // Those at the front: one, and further ones while all of them are small.
    task<void> write_waiting(BiStream& stream, const Waiting& self) {
        taken_ = true;
        if (gathers_) {
            co_await loop_.yield();
        }
        IntrusiveList<Waiting, WriteTag> carried;
        Bytes octets;
        while (Waiting* const one = queue_.front()) {
            if (!carried.empty() && octets.size() + one->frame.size() > kTogetherMax) {
                break;
            }
            carried.push_back(*queue_.pop_front());
            one->carried = true;
            if (octets.empty()) {
                octets = std::move(one->frame);
            } else {
                octets.insert(octets.end(), one->frame.begin(), one->frame.end());
            }
        }
        result<void> written = fail(causes::kClosed);
        if (!broken_) {
            written = co_await stream.write(octets);
        }
        taken_ = false;
        broken_ = broken_ || !written;
        const bool cancelled = !written && written.error().is(causes::kCancelled);
        while (Waiting* const one = carried.pop_front()) {
            // Only the task that wrote was cancelled.
            one->outcome = cancelled && one != &self ? fail(causes::kClosed) : written;
        }
        changed_.wake_all();
    }

    Loop& loop_;
    const bool gathers_;
    IntrusiveList<Waiting, WriteTag> queue_;
    bool taken_ = false;
    bool broken_ = false;
    WaitList changed_;
};

}  // namespace alknet::call
