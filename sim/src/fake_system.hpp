// The parts of the C library that would let the outside in: time and randomness. This program
// defines getrandom, getentropy, clock_gettime, gettimeofday and time itself, so that the shared
// libraries (GnuTLS above all) use these too, and a seed replays byte for byte.
//
// The state is global, as the functions are. One thread at a time uses it.
#pragma once

#include <alknet/rt/time.hpp>
#include <cstdint>

namespace alknet::sim {

/// From here on all randomness follows from `seed`, libsodium's too. What a library has drawn and
/// kept is not forgotten: run a seed in a fresh thread, because GnuTLS keeps its generator there.
void seed_system(std::uint64_t seed) noexcept;

/// Whose time the C library tells; null for a fixed moment, as before the first call. The clock
/// must live until the next call.
void set_system_clock(const Clock* clock) noexcept;

/// How many octets of randomness were drawn since the seed was set.
[[nodiscard]] std::uint64_t system_entropy_drawn() noexcept;

/// Real time, for limits on the run itself.
[[nodiscard]] std::int64_t real_milliseconds() noexcept;

}  // namespace alknet::sim
