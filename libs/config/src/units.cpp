#include <fmt/format.h>
#include <algorithm>
#include <alknet/config/units.hpp>
#include <array>
#include <charconv>
#include <limits>
#include <span>

namespace alknet::config {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array<Unit, 5> kDurationUnits = {{
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
}};
constexpr std::array<Unit, 3> kSizeUnits = {{
    {"KiB", 1ULL << 10},
    {"MiB", 1ULL << 20},
    {"GiB", 1ULL << 30},
}};

// "10s", "10 s": the number times its unit. nullopt: not of this form, or too large to count.
std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc()) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with(' ')) {
        text.remove_prefix(1);
    }
    const auto unit = std::ranges::find(units, text, &Unit::name);
    std::uint64_t product = 0;
    if (unit == units.end() || __builtin_mul_overflow(number, unit->factor, &product)) {
        return std::nullopt;
    }
    return product;
}

std::string show_quantity(std::uint64_t value, std::span<const Unit> units,
                          std::string_view between) {
    for (std::size_t i = units.size(); i-- > 0;) {
        if (value != 0 && value % units[i].factor == 0) {
            return fmt::format("{}{}{}", value / units[i].factor, between, units[i].name);
        }
    }
    return std::to_string(value);
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    const auto count = parse_quantity(text, kDurationUnits);
    if (!count || *count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return std::nullopt;
    }
    return Duration(static_cast<std::int64_t>(*count));
}

std::string duration_text(Duration duration) {
    return duration.count() == 0
               ? "0s"
               : show_quantity(static_cast<std::uint64_t>(duration.count()), kDurationUnits, "");
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    return parse_quantity(text, kSizeUnits);
}

std::string size_text(std::uint64_t octets) {
    return show_quantity(octets, kSizeUnits, " ");
}

}  // namespace alknet::config
