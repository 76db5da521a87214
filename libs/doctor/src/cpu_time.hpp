// What a thread needs of the processors.
#pragma once

#include <cstdint>
#include <string_view>

namespace alknet::doctor {

/// How long this thread has run so far, or would have if a processor had been free for it, in
/// microseconds.
[[nodiscard]] std::uint64_t cpu_microseconds() noexcept;

/// Of /proc/thread-self/schedstat (three numbers): the nanoseconds for which the thread has waited
/// for a processor; 0 if the text is something else.
[[nodiscard]] std::uint64_t parse_run_delay(std::string_view schedstat) noexcept;

}  // namespace alknet::doctor
