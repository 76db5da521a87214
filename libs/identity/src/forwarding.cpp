#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/identity/forwarding.hpp>
#include <array>
#include <cctype>

namespace alknet::identity {

namespace {

constexpr std::string_view kLocalhost = "localhost";

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Names are compared in lower case and without the dot of the root.
std::string plain_name(std::string_view text) {
    if (text.size() > 1 && text.ends_with('.')) {
        text.remove_suffix(1);
    }
    std::string name(text);
    std::ranges::transform(name, name.begin(), lower);
    return name;
}

bool is_name(std::string_view host) noexcept {
    return !host.empty() && host.size() <= kHostBytesMax &&
           std::ranges::all_of(host, [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == '*';
           });
}

// 10.*, 1.2.3 and the like: no name of a host ends with a number.
bool looks_like_an_address(std::string_view host) noexcept {
    const std::string_view last = host.substr(host.rfind('.') + 1);
    const bool digits =
        std::ranges::all_of(last, [](unsigned char c) { return std::isdigit(c) != 0; });
    const bool no_letters =
        std::ranges::none_of(host, [](unsigned char c) { return std::isalpha(c) != 0; });
    return digits || (no_letters && host != "*" && std::ranges::any_of(host, [](unsigned char c) {
                          return std::isdigit(c) != 0;
                      }));
}

std::optional<PortRange> parse_ports(std::string_view text) noexcept {
    if (text == "*") {
        return PortRange();
    }
    const std::size_t dash = text.find('-');
    const auto first = parse_number<std::uint16_t>(text.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_number<std::uint16_t>(text.substr(dash + 1));
    if (!first || !last || *first > *last) {
        return std::nullopt;
    }
    return PortRange{.first = *first, .last = *last};
}

struct Parts {
    std::string_view host;
    std::string_view ports = "*";
    bool bracketed = false;
};

std::optional<Parts> split(std::string_view text) noexcept {
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        Parts parts{.host = text.substr(1, end - 1), .bracketed = true};
        const std::string_view rest = text.substr(end + 1);
        if (!rest.empty()) {
            if (rest.front() != ':') {
                return std::nullopt;
            }
            parts.ports = rest.substr(1);
        }
        return parts;
    }
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
        return Parts{.host = text};  // IPv6 without brackets has no port
    }
    return Parts{.host = text.substr(0, colon), .ports = text.substr(colon + 1)};
}

std::unexpected<error> invalid(std::string_view text, std::string_view why) {
    return fail(causes::kAddressInvalid, std::string(text) + ": " + std::string(why));
}

// `*` stands for any octets, also none. Linear in both for each star.
bool glob(std::string_view pattern, std::string_view text) noexcept {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    return std::ranges::all_of(pattern.substr(p), [](char c) { return c == '*'; });
}

// Of paths: each component by itself.
bool glob_path(std::string_view pattern, std::string_view path) noexcept {
    for (;;) {
        const std::size_t end = pattern.find('/');
        const std::size_t end_of_path = path.find('/');
        if (!glob(pattern.substr(0, end), path.substr(0, end_of_path)) ||
            (end == std::string_view::npos) != (end_of_path == std::string_view::npos)) {
            return false;
        }
        if (end == std::string_view::npos) {
            return true;
        }
        pattern.remove_prefix(end + 1);
        path.remove_prefix(end_of_path + 1);
    }
}

bool is_plain_path(std::string_view path) noexcept {
    const bool printable =
        std::ranges::all_of(path, [](unsigned char c) { return c > ' ' && c != 0x7F; });
    if (!printable || path.size() > kSocketPathBytesMax || !path.starts_with('/')) {
        return false;
    }
    do {
        path.remove_prefix(1);
        const std::string_view part = path.substr(0, path.find('/'));
        if (part.empty() || part == "." || part == "..") {
            return false;
        }
        path.remove_prefix(part.size());
    } while (!path.empty());
    return true;
}

// Of IPv6, what stands for an IPv4 address is that.
SocketAddress plain_address(const SocketAddress& address) noexcept {
    constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const auto& ip = address.ip();
    if (address.family() != SocketAddress::Family::v6 ||
        !std::equal(kMapped.begin(), kMapped.end(), ip.begin())) {
        return address;
    }
    return SocketAddress::v4({ip[12], ip[13], ip[14], ip[15]}, address.port());
}

// What a name must not lead to.
bool is_guarded(const SocketAddress& address) noexcept {
    const auto& ip = address.ip();
    if (address.is_any() || address.is_loopback()) {
        return true;
    }
    if (address.family() == SocketAddress::Family::v4) {
        return ip[0] == 0 || ip[0] == 127 || ip[0] >= 224 || (ip[0] == 169 && ip[1] == 254);
    }
    // Link-local, multicast, and the address at which a cloud tells its secrets over IPv6.
    constexpr std::array<std::uint8_t, 16> kMetadata = {0xfd, 0, 0x0e, 0xc2, 0, 0, 0,    0,
                                                        0,    0, 0,    0,    0, 0, 0x02, 0x54};
    return (ip[0] == 0xfe && (ip[1] & 0xc0U) == 0x80) || ip[0] == 0xff || ip == kMetadata ||
           address.family() == SocketAddress::Family::none;
}

bool is_for(const ForwardRule& rule, const ForwardQuestion& question) {
    if (rule.peers.empty() && rule.roles.empty()) {
        return true;
    }
    const auto has = [](std::span<const std::string> all, std::string_view one) {
        return std::ranges::find(all, one) != all.end();
    };
    return has(rule.peers, question.peer) ||
           std::ranges::any_of(question.roles,
                               [&](const std::string& role) { return has(rule.roles, role); });
}

// Who listens on every address listens on each that a rule denies.
bool denies_a_part(const ForwardRule& rule, const SocketAddress& address) {
    return rule.claim == ForwardClaim::listen && !rule.allow && rule.target.path.empty() &&
           address.is_any() && rule.target.ports.contains(address.port());
}

bool matches(const ForwardTarget& target, const std::string& host, const SocketAddress& address) {
    if (!target.path.empty() || !target.ports.contains(address.port())) {
        return false;
    }
    if (target.range) {
        return target.range->contains(address);
    }
    return target.host == "*" || glob(target.host, host);
}

bool matches_path(const ForwardTarget& target, std::string_view path) {
    return !target.path.empty() && is_plain_path(path) && glob_path(target.path, path);
}

// Whether the rule means this very address, and not a name that happens to lead there.
bool names_address(const ForwardTarget& target, const SocketAddress& address) {
    if (target.range) {
        const std::string text = target.range->to_string();
        return !text.ends_with("/0");
    }
    return target.host == kLocalhost && address.is_loopback();
}

}  // namespace

std::string_view to_string(ForwardClaim claim) noexcept {
    return claim == ForwardClaim::connect ? "connect" : "listen";
}

std::string_view to_string(ForwardVerdict verdict) noexcept {
    switch (verdict) {
        case ForwardVerdict::allowed:
            return "allowed";
        case ForwardVerdict::denied:
            return "denied";
        case ForwardVerdict::no_rule:
            return "no rule";
        case ForwardVerdict::egress:
            break;
    }
    return "egress";
}

result<ForwardTarget> ForwardTarget::parse(std::string_view text) {
    if (text.starts_with('/')) {
        if (!is_plain_path(text)) {
            return invalid(text, "a socket's path has no white space, and no //, . or .. in it");
        }
        ForwardTarget target;
        target.path = text;
        return target;
    }
    const auto parts = split(text);
    if (!parts) {
        return invalid(text, "is not HOST or HOST:PORTS");
    }
    ForwardTarget target;
    const auto ports = parse_ports(parts->ports);
    if (!ports) {
        return invalid(text, "ports are a number, A-B or *");
    }
    target.ports = *ports;
    if (auto range = net::AddressRange::parse(parts->host)) {
        target.range = *range;
        return target;
    }
    target.host = plain_name(parts->host);
    if (parts->bracketed || !is_name(target.host) || looks_like_an_address(target.host)) {
        return invalid(text, "the host is neither a name nor an address nor a range of them");
    }
    return target;
}

std::string ForwardTarget::text() const {
    if (!path.empty()) {
        return path;
    }
    std::string shown = host;
    if (range) {
        shown = range->to_string();
        if (shown.find(':') != std::string::npos) {
            shown = "[" + shown + "]";
        }
    }
    if (ports == PortRange()) {
        return shown + ":*";
    }
    shown += ":" + std::to_string(ports.first);
    return ports.first == ports.last ? shown : shown + "-" + std::to_string(ports.last);
}

std::string ForwardDecision::explain() const {
    if (rule == nullptr) {
        return "denied: no forwarding rule matches";
    }
    const std::string by = std::string(to_string(rule->claim)) + " " + rule->target.text() +
                           " at " + rule->origin.text();
    switch (verdict) {
        case ForwardVerdict::allowed:
            return "allowed: by " + by;
        case ForwardVerdict::egress:
            return "denied: " + by +
                   " allows it, but only a rule that names the address can allow one of this "
                   "machine or its link";
        default:
            return "denied: by " + by;
    }
}

ForwardDecision decide_forward(std::span<const ForwardRule> rules,
                               const ForwardQuestion& question) {
    const SocketAddress address = plain_address(question.resolved);
    const std::string host = plain_name(question.host);
    for (const ForwardRule& rule : rules) {
        const bool meant = question.path.empty()
                               ? matches(rule.target, host, address) || denies_a_part(rule, address)
                               : matches_path(rule.target, question.path);
        if (rule.claim != question.claim || !is_for(rule, question) || !meant) {
            continue;
        }
        if (!rule.allow) {
            return {.verdict = ForwardVerdict::denied, .rule = &rule};
        }
        const bool guarded = question.path.empty() && question.claim == ForwardClaim::connect &&
                             is_guarded(address) && !names_address(rule.target, address);
        return {.verdict = guarded ? ForwardVerdict::egress : ForwardVerdict::allowed,
                .rule = &rule};
    }
    return {};
}

namespace {

// A name is meant by its name, wherever it leads; what no name may lead to, and what is none or
// reads as one with a port, by its address.
result<ForwardTarget> target_of(const ForwardQuestion& question) {
    if (!question.path.empty()) {
        auto socket = ForwardTarget::parse(question.path);
        if (socket && (socket->path.empty() || question.path.contains('*'))) {
            return invalid(question.path, "it cannot be named alone");
        }
        return socket;
    }
    const SocketAddress address = plain_address(question.resolved);
    const bool guarded = question.claim == ForwardClaim::connect && is_guarded(address);
    const std::string host = plain_name(question.host);
    auto named = ForwardTarget::parse(host);
    if (!named || named->host != host || host.find('*') != std::string::npos ||
        (guarded && !(host == kLocalhost && address.is_loopback()))) {
        named = ForwardTarget::parse(address.ip_text());
    }
    if (named) {
        named->ports = {.first = address.port(), .last = address.port()};
    }
    return named;
}

}  // namespace

std::optional<ForwardChange> change_to_allow(std::span<const ForwardRule> rules,
                                             const ForwardQuestion& question) {
    const ForwardDecision decision = decide_forward(rules, question);
    if (decision.allowed() || question.peer.empty()) {
        return std::nullopt;
    }
    auto named = target_of(question);
    if (!named) {
        return std::nullopt;
    }
    ForwardChange change{.rule = {.claim = question.claim,
                                  .target = *std::move(named),
                                  .peers = {std::string(question.peer)},
                                  .roles = {},
                                  .origin = {}},
                         .before = rules.size()};
    if (decision.rule != nullptr) {
        change.before = static_cast<std::size_t>(decision.rule - rules.data());
    }
    return change;
}

}  // namespace alknet::identity
