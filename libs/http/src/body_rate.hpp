// How fast a body comes (http.limits.body_rate_min), on every version of HTTP.
#pragma once

#include <alknet/http/body_reader.hpp>
#include <alknet/http/limits.hpp>
#include <cstdint>

namespace alknet::http {

inline constexpr Refusal kTooSlow{.status = 408,
                                  .reason = "the body is slower than http.limits.body_rate_min"};

/// On average over the time that was spent in waiting for it, once that is more than kRateGrace: so
/// a handler that is slow itself makes no client look slow.
struct BodyRate {
    Duration waited{};
    std::uint64_t received = 0;

    [[nodiscard]] bool too_slow(const ConnectionLimits& limits) const noexcept {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(waited).count();
        return waited > kRateGrace &&
               received / static_cast<std::uint64_t>(seconds) < limits.body_rate_min;
    }
};

}  // namespace alknet::http
