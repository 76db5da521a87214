#include "statistics.hpp"

#include <algorithm>
#include <numeric>

namespace alknet::app {

namespace {

// The smallest value that at least `percent` of all values do not exceed.
Duration percentile(const std::vector<Duration>& sorted, std::size_t percent) {
    return sorted[(percent * sorted.size() + 99) / 100 - 1];
}

}  // namespace

Summary summarize(std::vector<Duration> durations) {
    if (durations.empty()) {
        return {};
    }
    std::ranges::sort(durations);
    const Duration sum = std::accumulate(durations.begin(), durations.end(), Duration());
    return {.count = durations.size(),
            .min = durations.front(),
            .mean = sum / static_cast<std::int64_t>(durations.size()),
            .p50 = percentile(durations, 50),
            .p90 = percentile(durations, 90),
            .p99 = percentile(durations, 99),
            .max = durations.back()};
}

}  // namespace alknet::app
