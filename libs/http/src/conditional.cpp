#include <algorithm>
#include <alknet/base/number.hpp>
#include <alknet/http/conditional.hpp>
#include <array>
#include <chrono>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::string_view kDateForm = "Sun, 06 Nov 1994 08:49:37 GMT";

void append_digits(std::string& out, unsigned number, unsigned digits) {
    const std::string text = std::to_string(number);
    out.append(digits > text.size() ? digits - text.size() : 0, '0').append(text);
}

/// Dates have no more than seconds.
std::chrono::sys_seconds seconds_of(WallTime when) {
    return std::chrono::floor<std::chrono::seconds>(when);
}

bool any_tag(std::string_view list, std::string_view etag, bool weakly) {
    if (trim(list) == "*") {
        return true;
    }
    ListReader tags(list);
    while (auto tag = tags.next()) {
        if (weakly && tag->starts_with("W/")) {
            tag->remove_prefix(2);
        }
        if (*tag == etag) {
            return true;
        }
    }
    return false;
}

std::optional<WallTime> date_field(const Fields& fields, std::string_view name) {
    const auto value = fields.find(name);
    return value ? parse_http_date(*value) : std::nullopt;
}

// Of the digits on one side of the "-".
std::optional<std::uint64_t> position(std::string_view text) {
    return text.empty() || !std::ranges::all_of(text, is_digit) ? std::nullopt
                                                                : parse_number<std::uint64_t>(text);
}

}  // namespace

std::string http_date(WallTime when) {
    const auto seconds = seconds_of(when);
    const auto day = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(seconds - day);
    std::string out(kDays[std::chrono::weekday(day).c_encoding()]);
    out += ", ";
    append_digits(out, static_cast<unsigned>(date.day()), 2);
    out.append(" ").append(kMonths[static_cast<unsigned>(date.month()) - 1]).append(" ");
    append_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    out += " ";
    append_digits(out, static_cast<unsigned>(time.hours().count()), 2);
    out += ":";
    append_digits(out, static_cast<unsigned>(time.minutes().count()), 2);
    out += ":";
    append_digits(out, static_cast<unsigned>(time.seconds().count()), 2);
    return out += " GMT";
}

std::optional<WallTime> parse_http_date(std::string_view text) {
    if (text.size() != kDateForm.size()) {
        return std::nullopt;
    }
    const auto number = [&](std::size_t at, std::size_t size) {
        return position(text.substr(at, size)).value_or(9999);
    };
    const auto month = std::ranges::find(kMonths, text.substr(8, 3));
    const auto date =
        std::chrono::year(static_cast<int>(number(12, 4))) /
        std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1) /
        std::chrono::day(static_cast<unsigned>(std::min<std::uint64_t>(number(5, 2), 99)));
    const std::uint64_t hour = number(17, 2);
    const std::uint64_t minute = number(20, 2);
    const std::uint64_t second = number(23, 2);
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) {
        return std::nullopt;
    }
    // Between the years that WallTime can hold.
    if (date.year() < std::chrono::year(1700) || date.year() > std::chrono::year(2200)) {
        return std::nullopt;
    }
    const WallTime when = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                          std::chrono::minutes(minute) + std::chrono::seconds(second);
    // The rest stands where it must.
    return http_date(when) == text ? std::optional(when) : std::nullopt;
}

Precondition check_preconditions(const Fields& fields, const Validators& validators) {
    const auto modified = seconds_of(validators.modified);
    if (fields.count("if-match") > 0) {
        if (!any_tag(fields.joined("if-match"), validators.etag, false)) {
            return Precondition::failed;
        }
    } else if (const auto since = date_field(fields, "if-unmodified-since");
               since && modified > *since) {
        return Precondition::failed;
    }
    if (fields.count("if-none-match") > 0) {
        if (any_tag(fields.joined("if-none-match"), validators.etag, true)) {
            return Precondition::not_modified;
        }
    } else if (const auto since = date_field(fields, "if-modified-since");
               since && modified <= *since) {
        return Precondition::not_modified;
    }
    return Precondition::proceed;
}

RangeChoice choose_range(const Fields& fields, const Validators& validators, std::uint64_t size) {
    constexpr std::string_view kUnit = "bytes=";
    const auto range = fields.find("range");
    if (!range || fields.count("range") > 1 ||
        !equal_ignoring_case(range->substr(0, kUnit.size()), kUnit)) {
        return {};
    }
    if (const auto condition = fields.find("if-range")) {
        const auto date = parse_http_date(*condition);
        if (date ? *date != seconds_of(validators.modified) : *condition != validators.etag) {
            return {};
        }
    }
    const std::string_view spec = trim(range->substr(kUnit.size()));
    const std::size_t dash = spec.find('-');
    if (dash == std::string_view::npos) {
        return {};
    }
    const auto first = position(spec.substr(0, dash));
    const auto last = position(spec.substr(dash + 1));
    const bool suffix = dash == 0;
    if ((suffix && !last) || (!suffix && !first) || (dash + 1 < spec.size() && !last) ||
        (!suffix && last && *last < *first)) {
        return {};
    }
    if (suffix ? *last == 0 || size == 0 : *first >= size) {
        return {.verdict = RangeVerdict::unsatisfiable, .range = {}};
    }
    if (suffix) {
        const std::uint64_t taken = std::min(*last, size);
        return {.verdict = RangeVerdict::part, .range = {.first = size - taken, .size = taken}};
    }
    const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
    return {.verdict = RangeVerdict::part, .range = {.first = *first, .size = end - *first + 1}};
}

}  // namespace alknet::http
