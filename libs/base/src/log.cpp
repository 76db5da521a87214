#include <alknet/base/log.hpp>
#include <array>

namespace alknet {

namespace {

constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info",
                                                     "warn",  "error", "off"};

}  // namespace

bool parse_log_level(std::string_view text, LogLevel& level) noexcept {
    for (std::size_t i = 0; i < kLevels.size(); ++i) {
        if (kLevels[i] == text) {
            level = static_cast<LogLevel>(i);
            return true;
        }
    }
    return false;
}

std::string_view to_string(LogLevel level) noexcept {
    const auto index = static_cast<std::size_t>(level);
    return index < kLevels.size() ? kLevels[index] : "unknown";
}

}  // namespace alknet
