#include <algorithm>
#include <alknet/core/climb.hpp>

namespace alknet {

namespace {
constexpr std::size_t kDoublings = 4;  // from kFirst to beyond kMax
}

Duration ClimbSchedule::next(double chance) noexcept {
    const std::size_t late = attempts_ < kEarly ? 0 : attempts_ - kEarly + 1;
    if (late < kDoublings) {
        ++attempts_;
    }
    const Duration step = std::min(kFirst * (1 << late), kMax);
    const auto jitter =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, Duration::period>(
            static_cast<double>((step / 3).count()) * chance));
    return late == kDoublings ? step - jitter : std::min(step + jitter, kMax);
}

void ClimbSchedule::disappointed() noexcept {
    attempts_ = std::max(attempts_, kEarly + kDoublings - 1);
}

}  // namespace alknet
