#include "watch_post.hpp"

namespace alknet {

void WatchPost::on_wake() noexcept {
    awake_.store(true);
    if (!guarded_.load() && !set_.load(std::memory_order_relaxed)) {
        alarm_->set(interval_);
        set_.store(true, std::memory_order_relaxed);
    }
}

void WatchPost::on_rest() noexcept {
    awake_.store(false, std::memory_order_release);
    if (set_.load(std::memory_order_relaxed) && !guarded_.load() && may_take_back()) {
        alarm_->set(Duration::zero());
        set_.store(false, std::memory_order_relaxed);
    }
}

bool WatchPost::may_take_back() noexcept {
    const TimePoint now = clock_.now();
    if (now - counted_since_ >= 4 * interval_) {
        counted_since_ = now;
        taken_back_ = 0;
    }
    return ++taken_back_ <= kTakenBackMax;
}

bool WatchPost::leave() noexcept {
    set_.store(false);  // an alarm that rang, or that nobody waits for any more
    guarded_.store(false);
    if (awake_.load()) {
        guarded_.store(true);
        return false;
    }
    return true;
}

}  // namespace alknet
