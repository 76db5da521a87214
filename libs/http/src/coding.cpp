#include <algorithm>
#include <alknet/http/coding.hpp>
#include <array>
#include <optional>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

/// Thousandths; RFC 9110 section 12.4.2.
std::optional<unsigned> parse_weight(std::string_view text) {
    constexpr std::size_t kDigits = 3;
    if (text.empty() || (text.front() != '0' && text.front() != '1')) {
        return std::nullopt;
    }
    unsigned weight = text.front() == '1' ? 1000 : 0;
    text.remove_prefix(1);
    if (text.empty()) {
        return weight;
    }
    if (text.front() != '.' || text.size() > kDigits + 1) {
        return std::nullopt;
    }
    unsigned unit = 100;
    for (const char digit : text.substr(1)) {
        if (!is_digit(digit)) {
            return std::nullopt;
        }
        weight += static_cast<unsigned>(digit - '0') * unit;
        unit /= 10;
    }
    return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

struct Preference {
    std::string_view name;
    unsigned weight = 1000;
};

std::optional<Preference> parse_preference(std::string_view element) {
    const std::size_t end = element.find(';');
    Preference one{.name = trim(element.substr(0, end))};
    if (end == std::string_view::npos) {
        return one;
    }
    const std::string_view parameter = trim(element.substr(end + 1));
    if (!equal_ignoring_case(parameter.substr(0, 2), "q=")) {
        return std::nullopt;
    }
    const auto weight = parse_weight(parameter.substr(2));
    if (!weight) {
        return std::nullopt;
    }
    one.weight = *weight;
    return one;
}

}  // namespace

std::string_view coding_name(Coding coding) noexcept {
    constexpr std::array<std::string_view, 3> kNames = {"identity", "gzip", "br"};
    return kNames.at(static_cast<std::size_t>(coding));
}

Coding choose_coding(const Fields& fields) {
    std::array<std::optional<unsigned>, 3> said;
    std::optional<unsigned> others;
    const std::string all = fields.joined("accept-encoding");
    ListReader elements(all);
    while (const auto element = elements.next()) {
        const auto one = parse_preference(*element);
        if (!one) {
            continue;
        }
        if (one->name == "*") {
            others = one->weight;
        }
        for (const Coding coding : {Coding::identity, Coding::gzip, Coding::br}) {
            const bool older = coding == Coding::gzip && equal_ignoring_case(one->name, "x-gzip");
            if (older || equal_ignoring_case(one->name, coding_name(coding))) {
                said.at(static_cast<std::size_t>(coding)) = one->weight;
            }
        }
    }
    const auto weight = [&](Coding coding) {
        return said.at(static_cast<std::size_t>(coding)).value_or(others.value_or(0));
    };
    // Not named, identity is there for the case that nothing else is.
    const unsigned plain = said.front().value_or(0);
    const Coding best = weight(Coding::br) >= weight(Coding::gzip) ? Coding::br : Coding::gzip;
    return weight(best) == 0 || weight(best) < plain ? Coding::identity : best;
}

}  // namespace alknet::http
