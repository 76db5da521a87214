// One log event as one line of text.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/log_sink.hpp>
#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace alknet {

/// "2026-01-01T00:00:00.000000Z": RFC 3339, UTC, microseconds.
[[nodiscard]] std::string log_time(std::chrono::sys_time<std::chrono::nanoseconds> when);

/// Appends the line and its "\n".
void append_log_line(std::string& out, LogFormat format, std::string_view time, LogLevel level,
                     std::string_view event, std::span<const LogField> fields);

}  // namespace alknet
