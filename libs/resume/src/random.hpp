#pragma once

#include <alknet/resume/frames.hpp>
#include <alknet/rt/time.hpp>

namespace alknet::resume {

[[nodiscard]] StreamId random_id();
/// 0 … bound, for jitter.
[[nodiscard]] Duration random_below(Duration bound);

/// In [0, 1).
double random_chance();

}  // namespace alknet::resume
