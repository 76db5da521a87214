#include "values.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <alknet/identity/fingerprint.hpp>
#include <array>
#include <cctype>

namespace alknet::config {

namespace {

// The index of the text among `choices`; nullopt and a problem if it is none of them.
std::optional<std::size_t> read_choice(Reading& in, const toml::node& value,
                                       std::span<const std::string_view> choices) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return std::nullopt;
    }
    const auto found = std::ranges::find(choices, *text);
    if (found == choices.end()) {
        in.refuse(value, fmt::format("must be one of {}", fmt::join(choices, ", ")));
        return std::nullopt;
    }
    return static_cast<std::size_t>(found - choices.begin());
}

constexpr std::array<std::string_view, 2> kFormats = {"text", "json"};
constexpr std::array<std::string_view, 2> kCongestions = {"bbr", "cubic"};
constexpr std::array<std::string_view, 2> kUnknownAlpns = {"alert", "http"};
constexpr std::array<std::string_view, 2> kTransports = {"quic", "tcp"};
constexpr std::array<std::string_view, 3> kWays = {"quic", "tcp", "proxy"};
constexpr std::array<std::string_view, 2> kClaims = {"connect", "listen"};
constexpr std::array<std::string_view, 2> kActions = {"allow", "deny"};
constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info",
                                                     "warn",  "error", "off"};

std::string refusal(const error& failure) {
    std::string text(failure.cause().what);
    if (!failure.detail().empty()) {
        text.append(": ").append(failure.detail());
    }
    return text;
}

}  // namespace

std::string toml_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string integer_type(std::uint64_t min, std::uint64_t max) {
    return fmt::format("an integer from {} to {}", min, max);
}

std::string size_type(std::uint64_t min, std::uint64_t max) {
    return fmt::format("octets, or text with KiB, MiB or GiB, from {} to {}", size_text(min),
                       size_text(max));
}

std::string duration_type(Duration min, Duration max) {
    return fmt::format("a duration (ms, s, m, h, d) from {} to {}", duration_text(min),
                       duration_text(max));
}

void read_integer(Reading& in, const toml::node& value, std::uint64_t min, std::uint64_t max,
                  std::uint64_t& into) {
    const auto* integer = value.as_integer();
    if (integer == nullptr) {
        in.refuse(value,
                  fmt::format("must be {}, and is {}", integer_type(min, max), kind_of(value)));
    } else if (integer->get() < 0 || static_cast<std::uint64_t>(integer->get()) < min ||
               static_cast<std::uint64_t>(integer->get()) > max) {
        in.refuse(value,
                  fmt::format("must be {}, and is {}", integer_type(min, max), integer->get()));
    } else {
        into = static_cast<std::uint64_t>(integer->get());
    }
}

void read_size(Reading& in, const toml::node& value, std::uint64_t min, std::uint64_t max,
               std::uint64_t& into) {
    std::optional<std::uint64_t> octets;
    if (const auto* integer = value.as_integer(); integer != nullptr && integer->get() >= 0) {
        octets = static_cast<std::uint64_t>(integer->get());
    } else if (const auto* text = value.as_string(); text != nullptr) {
        octets = parse_size(text->get());
    }
    if (!octets || *octets < min || *octets > max) {
        in.refuse(value, fmt::format("must be {}", size_type(min, max)));
    } else {
        into = *octets;
    }
}

void read_duration(Reading& in, const toml::node& value, Duration min, Duration max,
                   Duration& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    const auto duration = parse_duration(*text);
    if (!duration || *duration < min || *duration > max) {
        in.refuse(value, fmt::format("must be {}", duration_type(min, max)));
    } else {
        into = *duration;
    }
}

void Flag::read(Reading& in, const toml::node& value, bool& into) {
    const auto* flag = value.as_boolean();
    if (flag == nullptr) {
        in.refuse(value, fmt::format("must be true or false, and is {}", kind_of(value)));
    } else {
        into = flag->get();
    }
}

void Path::read(Reading& in, const toml::node& value, std::filesystem::path& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    if (text->empty() || text->find('\0') != std::string::npos) {
        in.refuse(value, "is not a path");
    } else {
        into = in.base() / *text;  // which is *text alone if that is absolute
    }
}

std::string Path::show(const std::filesystem::path& value) {
    return value.empty() ? std::string() : toml_text(value.native());
}

void Name::read(Reading& in, const toml::node& value, std::string& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    const bool fits = std::ranges::all_of(*text, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
    if (text->empty() || text->size() > 64 || !fits) {
        in.refuse(value, "must be " + type());
    } else {
        into = *text;
    }
}

void Address::read(Reading& in, const toml::node& value, SocketAddress& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    auto address = SocketAddress::parse(*text);
    if (!address) {
        in.refuse(value, fmt::format("must be {}: '{}'", type(), *text));
    } else {
        into = *address;
    }
}

void Range::read(Reading& in, const toml::node& value, net::AddressRange& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    auto range = net::AddressRange::parse(*text);
    if (!range) {
        in.refuse(value, fmt::format("must be {}: '{}'", type(), range.error().detail()));
    } else {
        into = *range;
    }
}

void Alpn::read(Reading& in, const toml::node& value, std::string& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    if (const auto checked = tls::check_alpn(*text); !checked) {
        in.refuse(value, refusal(checked.error()));
    } else {
        in.check_service(value.source(), *text);
        into = *text;
    }
}

void PeerKey::read(Reading& in, const toml::node& value, std::string& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    auto canonical = identity::parse_fingerprint(*text);
    if (!canonical) {
        in.refuse(value, refusal(canonical.error()));
    } else {
        into = std::move(*canonical);
    }
}

void Scope::read(Reading& in, const toml::node& value, std::string& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    if (const auto scope = identity::Scope::parse(*text); !scope) {
        in.refuse(value, "must be SERVICE:ACTION or SERVICE:ACTION:RESOURCE, in lower case");
    } else {
        into = scope->text();
    }
}

void Resource::read(Reading& in, const toml::node& value, std::string& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    if (!identity::ServiceResource::parse(*text)) {
        in.refuse(value, "must be SERVICE:RESOURCE, for example git:website");
    } else {
        into = *text;
    }
}

void ExactScope::read(Reading& in, const toml::node& value, std::string& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    if (!identity::Scope::parse_exact(*text)) {
        in.refuse(value, "must be one scope, SERVICE:ACTION or SERVICE:ACTION:RESOURCE, without *");
    } else {
        into = *text;
    }
}

void Target::read(Reading& in, const toml::node& value, identity::ForwardTarget& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    auto target = identity::ForwardTarget::parse(*text);
    if (!target) {
        in.refuse(value, target.error().detail());
    } else {
        into = std::move(*target);
    }
}

std::string Target::show(const identity::ForwardTarget& value) {
    return value.range || !value.host.empty() ? toml_text(value.text()) : std::string();
}

void Claim::read(Reading& in, const toml::node& value, identity::ForwardClaim& into) {
    if (const auto index = read_choice(in, value, kClaims)) {
        into = *index == 0 ? identity::ForwardClaim::connect : identity::ForwardClaim::listen;
    }
}

std::string Claim::show(identity::ForwardClaim value) {
    return toml_text(to_string(value));
}

void Action::read(Reading& in, const toml::node& value, bool& into) {
    if (const auto index = read_choice(in, value, kActions)) {
        into = *index == 0;
    }
}

std::string Action::show(bool value) {
    return toml_text(kActions[value ? 0 : 1]);
}

void Expiry::read(Reading& in, const toml::node& value, std::optional<WallTime>& into) {
    const auto* date = value.as_date();
    const auto* moment = value.as_date_time();
    if (date == nullptr && (moment == nullptr || !moment->get().offset)) {
        in.refuse(value, "must be " + type());
        return;
    }
    const toml::date day = date != nullptr ? date->get() : moment->get().date;
    const std::chrono::year_month_day written(
        std::chrono::year(day.year), std::chrono::month(day.month), std::chrono::day(day.day));
    if (!written.ok() || day.year < 1970 || day.year > 2200) {
        in.refuse(value, "must be a day between 1970 and 2200");
        return;
    }
    WallTime time = std::chrono::sys_days(written);
    if (moment != nullptr) {
        const toml::time& clock = moment->get().time;
        time += std::chrono::hours(clock.hour) + std::chrono::minutes(clock.minute) +
                std::chrono::seconds(clock.second) -
                std::chrono::minutes(moment->get().offset->minutes);
    }
    into = time;
}

std::string Expiry::show(const std::optional<WallTime>& value) {
    if (!value) {
        return {};
    }
    const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(*value));
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                       static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

void Reach::read(Reading& in, const toml::node& value, std::optional<NodeAddress>& into) {
    const std::string* text = in.text(value);
    if (text == nullptr) {
        return;
    }
    auto address = NodeAddress::parse(*text);
    if (!address) {
        in.refuse(value, refusal(address.error()));
    } else if (address->host.empty()) {
        in.refuse(value, "must be " + type());
    } else {
        into = std::move(*address);
    }
}

std::string Reach::show(const std::optional<NodeAddress>& value) {
    return value ? toml_text(value->to_string()) : std::string();
}

void TransportSet::read(Reading& in, const toml::node& value, Transports& into) {
    const toml::array* array = in.array(value, kTransports.size());
    if (array == nullptr) {
        return;
    }
    Transports read_so_far{.quic = false, .tcp = false};
    for (const toml::node& node : *array) {
        if (const auto index = read_choice(in, node, kTransports)) {
            (*index == 0 ? read_so_far.quic : read_so_far.tcp) = true;
        }
    }
    if (array->empty()) {
        in.refuse(value, "must be " + type());
    }
    into = read_so_far;
}

std::string TransportSet::show(const Transports& value) {
    if (value.quic && value.tcp) {
        return "[\"quic\", \"tcp\"]";
    }
    return value.quic ? "[\"quic\"]" : "[\"tcp\"]";
}

void WaySet::read(Reading& in, const toml::node& value, Ways& into) {
    const toml::array* array = in.array(value, kWays.size());
    if (array == nullptr) {
        return;
    }
    Ways read_so_far{.quic = false, .tcp = false, .proxy = false};
    const std::array<bool*, kWays.size()> flags = {&read_so_far.quic, &read_so_far.tcp,
                                                   &read_so_far.proxy};
    for (const toml::node& node : *array) {
        if (const auto index = read_choice(in, node, kWays)) {
            *flags[*index] = true;
        }
    }
    if (array->empty()) {
        in.refuse(value, "must be " + type());
    }
    into = read_so_far;
}

std::string WaySet::show(const Ways& value) {
    const std::array<bool, kWays.size()> flags = {value.quic, value.tcp, value.proxy};
    std::string text;
    for (std::size_t i = 0; i < kWays.size(); ++i) {
        if (flags[i]) {
            text.append(text.empty() ? "" : ", ").append(toml_text(kWays[i]));
        }
    }
    return "[" + text + "]";
}

void Format::read(Reading& in, const toml::node& value, LogFormat& into) {
    if (const auto index = read_choice(in, value, kFormats)) {
        into = *index == 0 ? LogFormat::key_value : LogFormat::json;
    }
}

std::string Format::show(LogFormat value) {
    return toml_text(kFormats[value == LogFormat::key_value ? 0 : 1]);
}

void Level::read(Reading& in, const toml::node& value, LogLevel& into) {
    if (const auto index = read_choice(in, value, kLevels)) {
        parse_log_level(kLevels[*index], into);
    }
}

std::string Level::type() {
    std::string text;
    for (const std::string_view level : kLevels) {
        text.append(text.empty() ? "" : ", ").append(toml_text(level));
    }
    return "one of " + text;
}

void CongestionControl::read(Reading& in, const toml::node& value, quic::Congestion& into) {
    if (const auto index = read_choice(in, value, kCongestions)) {
        into = *index == 0 ? quic::Congestion::bbr : quic::Congestion::cubic;
    }
}

std::string CongestionControl::show(quic::Congestion value) {
    return toml_text(kCongestions[value == quic::Congestion::bbr ? 0 : 1]);
}

void UnknownAlpnAnswer::read(Reading& in, const toml::node& value, UnknownAlpn& into) {
    if (const auto index = read_choice(in, value, kUnknownAlpns)) {
        into = *index == 0 ? UnknownAlpn::alert : UnknownAlpn::http;
    }
}

std::string UnknownAlpnAnswer::show(UnknownAlpn value) {
    return toml_text(kUnknownAlpns[value == UnknownAlpn::alert ? 0 : 1]);
}

}  // namespace alknet::config
