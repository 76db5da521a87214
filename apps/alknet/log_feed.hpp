// LogFeed: what the node logs, for those who watch it live: `log/tail`.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/call/json.hpp>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "live_feed.hpp"

namespace alknet::app {

struct LogItem {
    std::uint64_t time_ms = 0;
    std::string level;
    std::string event;
    call::Json fields;
    static constexpr std::array<std::string_view, 4> kAbout = {
        "since 1970", "trace, debug, info, warn or error", "its name, as docs/metrics.md has it",
        "an object: what the event says"};
};

/// Of what a log sink writes out, which it is told of (LogSinkOptions::also).
class LogFeed final : public LogSink {
public:
    explicit LogFeed(Loop& loop) : feed_(std::make_shared<LiveFeed>(loop)) {}

    [[nodiscard]] bool enabled(LogLevel /*level*/) const noexcept override { return true; }
    void write(LogLevel level, std::string_view event,
               std::span<const LogField> fields) noexcept override;

    [[nodiscard]] LiveFeed& live() const noexcept { return *feed_; }

private:
    const std::shared_ptr<LiveFeed> feed_;
};

}  // namespace alknet::app
