#include "log_format.hpp"

#include <algorithm>
#include <alknet/base/utf8.hpp>
#include <array>
#include <charconv>
#include <cmath>
#include <type_traits>

namespace alknet {

namespace {

void append_padded(std::string& out, std::uint64_t value, std::size_t digits) {
    const std::string text = std::to_string(value);
    out.append(digits - std::min(digits, text.size()), '0').append(text);
}

template <class Number>
void append_number(std::string& out, Number value) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    out.append(text.data(), end);
}

/// "00e9": code points above U+FFFF have six digits, or for JSON two surrogates.
void append_hex(std::string& out, std::uint32_t value, std::size_t digits) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (std::size_t i = digits; i-- > 0;) {
        out += kDigits[value >> (4 * i) & 0xfU];
    }
}

void append_escaped_point(std::string& out, char32_t point, LogFormat format) {
    if (point <= 0xffff) {
        append_hex(out.append("\\u"), point, 4);
    } else if (format == LogFormat::json) {
        const char32_t rest = point - 0x10000;
        append_hex(out.append("\\u"), 0xd800 + (rest >> 10), 4);
        append_hex(out.append("\\u"), 0xdc00 + (rest & 0x3ffU), 4);
    } else {
        append_hex(out.append("\\U"), point, 6);
    }
}

/// The inside of the quotes. JSON has no way to write an octet that is not UTF-8: U+FFFD stands
/// for it.
void append_escaped(std::string& out, std::string_view text, LogFormat format) {
    const bool cut = text.size() > kLogValueBytesMax;
    text = text.substr(0, kLogValueBytesMax);
    while (!text.empty()) {
        const CodePoint point = first_code_point(text);
        const std::string_view octets = text.substr(0, point.size);
        text.remove_prefix(point.size);
        if (!point.valid && format == LogFormat::json) {
            out.append("\\ufffd");
        } else if (!point.valid) {
            append_hex(out.append("\\x"), static_cast<unsigned char>(octets[0]), 2);
        } else if (point.value == '"' || point.value == '\\') {
            out.append("\\").append(octets);
        } else if (point.value == '\n') {
            out.append("\\n");
        } else if (point.value == '\r') {
            out.append("\\r");
        } else if (point.value == '\t') {
            out.append("\\t");
        } else if (is_unprintable(point.value)) {
            append_escaped_point(out, point.value, format);
        } else {
            out.append(octets);
        }
    }
    if (cut) {
        out.append("...");
    }
}

/// What stands in key=value without quotes.
bool is_plain(std::string_view text) noexcept {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.:/@+,[]%*").find(c) != std::string_view::npos;
    };
    return !text.empty() && text.size() <= kLogValueBytesMax && std::ranges::all_of(text, plain);
}

void append_text(std::string& out, std::string_view text, LogFormat format) {
    if (format == LogFormat::key_value && is_plain(text)) {
        out.append(text);
        return;
    }
    out.append("\"");
    append_escaped(out, text, format);
    out.append("\"");
}

/// Keys are literals of this program; one that is not still cannot break the line.
void append_key(std::string& out, std::string_view key) {
    constexpr std::size_t kKeyBytesMax = 64;
    for (const char c : key.substr(0, kKeyBytesMax)) {
        const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
        out += good ? c : '_';
    }
}

void append_value(std::string& out, const LogValue& value, LogFormat format) {
    std::visit(
        [&out, format](const auto& held) {
            using Held = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<Held, std::string_view>) {
                append_text(out, held, format);
            } else if constexpr (std::is_same_v<Held, bool>) {
                out.append(held ? "true" : "false");
            } else if constexpr (std::is_same_v<Held, double>) {
                if (std::isfinite(held) || format == LogFormat::key_value) {
                    append_number(out, held);
                } else {
                    out.append("null");
                }
            } else {
                append_number(out, held);
            }
        },
        value);
}

void append_field(std::string& out, LogFormat format, std::string_view key, const LogValue& value) {
    if (format == LogFormat::json) {
        out.append(out.empty() || out.back() == '\n' ? "{\"" : ",\"");
        append_key(out, key);
        out.append("\":");
    } else {
        if (!out.empty() && out.back() != '\n') {
            out.append(" ");
        }
        append_key(out, key);
        out.append("=");
    }
    append_value(out, value, format);
}

}  // namespace

std::string log_time(std::chrono::sys_time<std::chrono::nanoseconds> when) {
    const auto day = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::microseconds>(when - day));
    const auto year = static_cast<int>(date.year());
    std::string text;
    append_padded(text, static_cast<std::uint64_t>(std::clamp(year, 0, 9999)), 4);
    append_padded(text.append("-"), static_cast<unsigned>(date.month()), 2);
    append_padded(text.append("-"), static_cast<unsigned>(date.day()), 2);
    append_padded(text.append("T"), static_cast<std::uint64_t>(time.hours().count()), 2);
    append_padded(text.append(":"), static_cast<std::uint64_t>(time.minutes().count()), 2);
    append_padded(text.append(":"), static_cast<std::uint64_t>(time.seconds().count()), 2);
    append_padded(text.append("."), static_cast<std::uint64_t>(time.subseconds().count()), 6);
    return text + "Z";
}

void append_log_line(std::string& out, LogFormat format, std::string_view time, LogLevel level,
                     std::string_view event, std::span<const LogField> fields) {
    append_field(out, format, "time", time);
    append_field(out, format, "level", to_string(level));
    append_field(out, format, "event", event);
    for (const LogField& field : fields.first(std::min(fields.size(), kLogFieldsMax))) {
        append_field(out, format, field.key, field.value);
    }
    if (fields.size() > kLogFieldsMax) {
        append_field(out, format, "fields_left_out",
                     static_cast<std::uint64_t>(fields.size() - kLogFieldsMax));
    }
    out.append(format == LogFormat::json ? "}\n" : "\n");
}

}  // namespace alknet
