// What a list of durations says.
#pragma once

#include <alknet/rt/time.hpp>
#include <cstddef>
#include <vector>

namespace alknet::app {

struct Summary {
    std::size_t count = 0;
    Duration min{};
    Duration mean{};
    Duration p50{};  // percentiles by nearest rank: each is one of the durations
    Duration p90{};
    Duration p99{};
    Duration max{};
};

/// All zero for an empty list.
[[nodiscard]] Summary summarize(std::vector<Duration> durations);

}  // namespace alknet::app
