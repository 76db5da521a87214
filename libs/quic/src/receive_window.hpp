// ReceiveWindow: how much credit a peer gets, on a stream or on a connection. It starts small and
// doubles while the peer uses up half of it within two round trips, up to a limit that may change.
// Sans-I/O.
#pragma once

#include <algorithm>
#include <alknet/rt/time.hpp>
#include <cstdint>

namespace alknet::quic {

class ReceiveWindow {
public:
    ReceiveWindow(std::uint64_t size, std::uint64_t limit, TimePoint now) noexcept
        : size_(size), limit_(std::max(size, limit)), since_(now) {}

    /// The window may not grow beyond `limit`; what was granted stays granted.
    void set_limit(std::uint64_t limit) noexcept { limit_ = limit; }

    /// `count` octets went to the reader. Returns how many to grant on top of these.
    template <class RoundTrip>
    std::uint64_t consumed(std::uint64_t count, TimePoint now, RoundTrip&& round_trip) {
        used_ += count;
        if (used_ < size_ / 2) {
            return 0;
        }
        used_ = 0;
        const Duration elapsed = now - since_;
        since_ = now;
        if (size_ >= limit_ || elapsed >= 2 * round_trip()) {
            return 0;
        }
        const std::uint64_t grown = std::min(size_ * 2, limit_) - size_;
        size_ += grown;
        return grown;
    }

    /// True when so much was consumed since the last time that the peer should hear of it soon.
    bool due(std::uint64_t count) noexcept {
        unannounced_ += count;
        if (unannounced_ < size_ / 8) {
            return false;
        }
        unannounced_ = 0;
        return true;
    }

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

private:
    std::uint64_t size_;
    std::uint64_t limit_;
    std::uint64_t used_ = 0;
    std::uint64_t unannounced_ = 0;
    TimePoint since_;
};

}  // namespace alknet::quic
