// Durations and sizes as people write them: "10s", "64 KiB".
#pragma once

#include <alknet/rt/time.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::config {

/// A whole number with ms, s, m, h or d behind it, and perhaps a space between; less than 2^63 ns.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);
/// With the largest unit that needs no fraction. `duration` is a whole number of milliseconds.
[[nodiscard]] std::string duration_text(Duration duration);

/// A whole number with KiB, MiB or GiB behind it.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// With the largest unit that needs no fraction, or plain octets.
[[nodiscard]] std::string size_text(std::uint64_t octets);

}  // namespace alknet::config
