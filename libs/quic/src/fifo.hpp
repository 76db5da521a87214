// Fifo: a queue that costs nothing while it has never held anything, and little once it is empty:
// std::deque keeps half a KiB for each, and an idle connection has several.
#pragma once

#include <cstddef>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace alknet::quic {

template <class T>
class Fifo {
public:
    /// Room for so many is kept when the queue has run empty.
    static constexpr std::size_t kRoomKept = 8;

    void push_back(T value) {
        // Half of it at least is free then: each element is moved less than once for each push.
        if (items_.size() == items_.capacity() && first_ * 2 >= items_.size()) {
            items_.erase(items_.begin(), std::next(items_.begin(), offset()));
            first_ = 0;
        }
        items_.push_back(std::move(value));
    }
    void pop_front() noexcept {
        items_[first_++] = T();
        if (first_ == items_.size()) {
            first_ = 0;
            if (items_.capacity() > kRoomKept) {
                items_ = std::vector<T>();
            } else {
                items_.clear();
            }
        }
    }
    [[nodiscard]] T& front() noexcept { return items_[first_]; }
    [[nodiscard]] const T& front() const noexcept { return items_[first_]; }
    [[nodiscard]] T& back() noexcept { return items_.back(); }
    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size() - first_; }
    /// All of them, from the front.
    [[nodiscard]] std::span<const T> view() const noexcept {
        return std::span(items_).subspan(first_);
    }
    [[nodiscard]] std::size_t room() const noexcept { return items_.capacity(); }

private:
    [[nodiscard]] std::ptrdiff_t offset() const noexcept {
        return static_cast<std::ptrdiff_t>(first_);
    }

    std::vector<T> items_;
    std::size_t first_ = 0;  // those before it were taken
};

}  // namespace alknet::quic
