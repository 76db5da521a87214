// How many bytes a stream may move before the loop must have had a turn. A reader that is always
// served, by a peer that is faster than we are, would otherwise never suspend: nothing else on its
// loop would run, and it would not notice that it was cancelled.
#pragma once

#include <algorithm>
#include <alknet/base/result.hpp>
#include <alknet/rt/task.hpp>
#include <cstddef>

namespace alknet {
class Loop;
}

namespace alknet::net {

class TurnBudget {
public:
    static constexpr std::size_t kBytes = 256 << 10;
    /// What an operation costs at least, so that their number is bounded too.
    static constexpr std::size_t kOperationBytes = 1 << 10;

    [[nodiscard]] bool spent() const noexcept { return left_ == 0; }
    void spend(std::size_t bytes) noexcept {
        left_ -= std::min(left_, std::max(bytes, kOperationBytes));
    }
    void refill() noexcept { left_ = kBytes; }
    /// Waits for the loop's next turn, and refills. Errors: kCancelled.
    task<result<void>> renew(Loop& loop);

private:
    std::size_t left_ = kBytes;
};

}  // namespace alknet::net
