// MemoryLogSink: keeps log events, for tests to look at and to wait for. Thread-safe.
#pragma once

#include <alknet/base/log.hpp>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace alknet::sim {

class MemoryLogSink final : public LogSink {
public:
    /// The first this many events are kept.
    static constexpr std::size_t kEventsMax = 100'000;

    struct Event {
        LogLevel level;
        std::string name;
        std::vector<std::pair<std::string, std::string>> fields;  // values as text

        /// The value of a field, or "" if there is none.
        [[nodiscard]] std::string field(std::string_view key) const;
    };

    [[nodiscard]] bool enabled(LogLevel level) const noexcept override;
    void write(LogLevel level, std::string_view event,
               std::span<const LogField> fields) noexcept override;

    [[nodiscard]] std::vector<Event> events() const;
    [[nodiscard]] std::size_t count(std::string_view name) const;
    /// The latest event of this name.
    [[nodiscard]] std::optional<Event> last(std::string_view name) const;
    /// Blocks this thread until another has written an event of this name, and with this value of
    /// this field if one is given.
    Event wait_for(std::string_view name, std::string_view key = {},
                   std::string_view value = {}) const;

private:
    [[nodiscard]] const Event* find_last(std::string_view name, std::string_view key = {},
                                         std::string_view value = {}) const;

    mutable std::mutex mutex_;
    mutable std::condition_variable written_;
    std::vector<Event> events_;
};

}  // namespace alknet::sim
