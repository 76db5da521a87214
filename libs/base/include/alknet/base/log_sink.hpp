// The sink for log lines: key=value or JSON, one event a line, to a file descriptor.
//
//     time=2026-01-01T00:00:00.000000Z level=info event=conn.open remote=192.0.2.1:4433 alpn=x/1
//     {"time":"2026-01-01T00:00:00.000000Z","level":"info","event":"conn.open", …}
//
// Values may come from an enemy. One event is always one line; what is not printable, or not UTF-8,
// is escaped; a flood of one event is cut and counted, and so is what a reader that stands still
// does not take. Callers only append to a buffer: a thread of the sink writes it out.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace alknet {

enum class LogFormat : std::uint8_t { key_value, json };

/// Longer values are cut, and end in "...".
inline constexpr std::size_t kLogValueBytesMax = 1024;
/// Further fields are left out; a field `fields_left_out` counts them.
inline constexpr std::size_t kLogFieldsMax = 32;
/// What waits for the reader. Events beyond are dropped; `log.dropped` counts them.
inline constexpr std::size_t kLogPendingBytesMax = 1 << 20;
/// Event names with a rate of their own; all others share one.
inline constexpr std::size_t kLogRatesMax = 256;

struct LogSinkOptions {
    LogFormat format = LogFormat::key_value;
    LogLevel level = LogLevel::info;

    /// For each event name. Events beyond are left out; `log.suppressed` counts them. 0: no limit.
    std::uint32_t events_per_second = 100;
    std::uint32_t events_burst = 500;

    /// Is given each event that is written out, on the thread that logs it; must not log itself.
    std::shared_ptr<LogSink> also{};

    /// Injectable time. The system's if empty.
    std::function<std::chrono::sys_time<std::chrono::nanoseconds>()> wall_clock;
    std::function<std::chrono::nanoseconds()> steady_clock;
};

class LineLogSink : public LogSink {
public:
    /// Takes effect at once. Thread-safe.
    virtual void set_level(LogLevel level) noexcept = 0;
    /// Waits, at most a second, until what was written before is out or refused by the descriptor.
    virtual void flush() = 0;
};

/// `fd` must stay open until the sink is gone; it is not closed. The sink's end waits at most a
/// second for the reader. Errors: kIo when no thread can be started.
[[nodiscard]] result<std::shared_ptr<LineLogSink>> open_log_sink(int fd,
                                                                 LogSinkOptions options = {});

}  // namespace alknet
