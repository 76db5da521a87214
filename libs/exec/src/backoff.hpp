// Backoff: when to start again what has ended. Sans-I/O.
#pragma once

#include <algorithm>
#include <alknet/rt/time.hpp>
#include <chrono>
#include <cstddef>
#include <optional>

namespace alknet::exec {

class Backoff {
public:
    static constexpr Duration kFirst = std::chrono::seconds(1);
    static constexpr Duration kLongest = std::chrono::seconds(60);
    /// Whatever ran for so long was well, and begins anew.
    static constexpr Duration kStable = std::chrono::seconds(30);

    /// `attempts_max` ends in a row and it gives up; 0: never.
    explicit Backoff(std::size_t attempts_max) noexcept : attempts_max_(attempts_max) {}

    /// It has ended after running for so long. How long to wait; nullopt: for ever.
    [[nodiscard]] std::optional<Duration> ended(Duration ran) noexcept {
        if (ran >= kStable) {
            failures_ = 0;
            next_ = kFirst;
        }
        ++failures_;
        if (attempts_max_ != 0 && failures_ >= attempts_max_) {
            return std::nullopt;
        }
        const Duration delay = next_;
        next_ = std::min(next_ * 2, kLongest);
        return delay;
    }

private:
    std::size_t attempts_max_;
    std::size_t failures_ = 0;
    Duration next_ = kFirst;
};

}  // namespace alknet::exec
