// The processor time of this process so far, in microseconds.
#pragma once

#include <cstdint>
#include <ctime>

namespace alknet::doctor {

inline std::uint64_t cpu_microseconds() noexcept {
    timespec spent{};
    (void)::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return static_cast<std::uint64_t>(spent.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(spent.tv_nsec) / 1'000;
}

}  // namespace alknet::doctor
