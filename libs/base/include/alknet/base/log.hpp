// Structured log events: a name from a fixed vocabulary ("conn.open") and typed fields. The sink
// writes key=value or JSON lines; it is handed down from main, there is no global logger.
// Never log secrets, tokens, keys of others' tunnels, tunnel destinations or DNS names looked up.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <variant>

namespace alknet {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

/// Accepts "trace" … "off"; false and no change otherwise.
bool parse_log_level(std::string_view text, LogLevel& level) noexcept;
[[nodiscard]] std::string_view to_string(LogLevel level) noexcept;

using LogValue = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

struct LogField {
    std::string_view key;
    LogValue value;

    LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
    LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
    template <class Integer>
        requires std::integral<Integer>
    LogField(std::string_view k, Integer v) : key(k) {
        if constexpr (std::same_as<Integer, bool>) {
            value = v;
        } else if constexpr (std::signed_integral<Integer>) {
            value = static_cast<std::int64_t>(v);
        } else {
            value = static_cast<std::uint64_t>(v);
        }
    }
    LogField(std::string_view k, double v) : key(k), value(v) {}
};

/// Where events go. Implementations are thread-safe and never block on a slow reader for long.
class LogSink {
public:
    virtual ~LogSink() = default;
    [[nodiscard]] virtual bool enabled(LogLevel level) const noexcept = 0;
    virtual void write(LogLevel level, std::string_view event,
                       std::span<const LogField> fields) noexcept = 0;
};

/// The handle that code holds: cheap to copy, never null, does nothing when default-constructed.
class Log {
public:
    Log() = default;
    explicit Log(std::shared_ptr<LogSink> sink) : sink_(std::move(sink)) {}

    void operator()(LogLevel level, std::string_view event,
                    std::initializer_list<LogField> fields = {}) const noexcept {
        if (sink_ != nullptr && sink_->enabled(level)) {
            sink_->write(level, event, {fields.begin(), fields.size()});
        }
    }
    void debug(std::string_view event, std::initializer_list<LogField> f = {}) const noexcept {
        (*this)(LogLevel::debug, event, f);
    }
    void info(std::string_view event, std::initializer_list<LogField> f = {}) const noexcept {
        (*this)(LogLevel::info, event, f);
    }
    void warn(std::string_view event, std::initializer_list<LogField> f = {}) const noexcept {
        (*this)(LogLevel::warn, event, f);
    }
    void error(std::string_view event, std::initializer_list<LogField> f = {}) const noexcept {
        (*this)(LogLevel::error, event, f);
    }

private:
    std::shared_ptr<LogSink> sink_;
};

}  // namespace alknet
