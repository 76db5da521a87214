// Channel<T>: a bounded queue between tasks of one loop. Senders wait while it is full, receivers
// while it is empty, each in the order in which they came. A cancelled or destroyed receiver has
// taken nothing, and a cancelled sender has sent nothing: what is in the channel is received once.
//
// Closing ends it from either side: senders fail, receivers first get what is left.
#pragma once

#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

namespace alknet {

template <class T>
class Channel {
public:
    /// `capacity` is at least 1.
    explicit Channel(std::size_t capacity) : capacity_(capacity) { ALKNET_ASSERT(capacity > 0); }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    /// Ends when the item is in the channel. Otherwise it is lost with the call.
    /// Errors: kClosed, kCancelled.
    task<result<void>> send(T item) {
        while (!closed_ && !may_send()) {
            ALKNET_CO_CHECK(co_await senders_.wait());
        }
        if (closed_) {
            co_return fail(causes::kClosed);
        }
        push(std::move(item));
        co_return result<void>{};
    }

    /// Sends if that needs no wait. False: full or closed, and `item` is as it was.
    [[nodiscard]] bool try_send(T&& item) {
        if (closed_ || !may_send()) {
            return false;
        }
        push(std::move(item));
        return true;
    }

    /// Errors: kClosed when closed and empty, kCancelled.
    task<result<T>> recv() {
        while (!may_receive()) {
            if (closed_ && items_.empty()) {
                co_return fail(causes::kClosed);
            }
            ALKNET_CO_CHECK(co_await receivers_.wait());
        }
        co_return pop();
    }

    /// Receives if that needs no wait.
    [[nodiscard]] std::optional<T> try_recv() {
        if (!may_receive()) {
            return std::nullopt;
        }
        return pop();
    }

    /// Idempotent. Resumes nobody by itself.
    void close() noexcept {
        closed_ = true;
        senders_.wake_all();
        if (items_.empty()) {
            receivers_.wake_all();
        }
    }

    [[nodiscard]] bool closed() const noexcept { return closed_; }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

private:
    // Room, and items, that were offered to a waiter are its own until it runs: nobody barges in,
    // and as long as anybody waits everything there is has been offered.
    [[nodiscard]] bool may_send() const noexcept {
        return capacity_ - items_.size() > senders_.offers();
    }
    [[nodiscard]] bool may_receive() const noexcept { return items_.size() > receivers_.offers(); }

    void push(T&& item) {
        items_.push_back(std::move(item));
        receivers_.wake_one();
    }

    T pop() {
        T item = std::move(items_.front());
        items_.pop_front();
        if (!closed_) {
            senders_.wake_one();
        } else if (items_.empty()) {
            receivers_.wake_all();
        }
        return item;
    }

    const std::size_t capacity_;
    bool closed_ = false;
    std::deque<T> items_;
    WaitList senders_;
    WaitList receivers_;
};

}  // namespace alknet
