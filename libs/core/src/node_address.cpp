#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/core/node_address.hpp>
#include <alknet/net/socket_address.hpp>

namespace alknet {

namespace {

constexpr std::string_view kScheme = "alknet://";
constexpr std::string_view kKeyPrefix = "ed25519:";
constexpr std::string_view kSshPrefix = "ssh-ed25519 ";
constexpr std::size_t kLabelBytesMax = 63;
constexpr std::size_t kHexIdChars = 64;
constexpr std::size_t kBase32IdChars = 52;

bool is_alnum(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trim(std::string_view text) noexcept {
    constexpr std::string_view kBlanks = " \t\r\n";
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) noexcept {
    return text.size() >= prefix.size() &&
           std::ranges::equal(text.substr(0, prefix.size()), prefix, {}, lower);
}

/// Text that nobody means as a host: no such label would be sensible, and a mistyped key must not
/// become a DNS query.
bool looks_like_id(std::string_view text) noexcept {
    return starts_with_ignoring_case(text, kKeyPrefix) || text.starts_with(kSshPrefix) ||
           ((text.size() == kHexIdChars || text.size() == kBase32IdChars) &&
            std::ranges::all_of(text, is_alnum));
}

result<void> check_host(std::string_view host) {
    if (host.size() > NodeAddress::kHostBytesMax) {
        return fail(causes::kAddressInvalid, "the host name is longer than 253 octets");
    }
    std::string_view rest = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
    for (;;) {
        const auto dot = rest.find('.');
        const std::string_view label = rest.substr(0, dot);
        if (label.empty() || label.size() > kLabelBytesMax) {
            return fail(causes::kAddressInvalid,
                        "a part of the host name is empty or longer than 63 octets");
        }
        const auto allowed = [](char c) { return is_alnum(c) || c == '-' || c == '_'; };
        if (!std::ranges::all_of(label, allowed)) {
            return fail(causes::kAddressInvalid,
                        "the host name has a character other than letters, digits, '-', '_', '.'");
        }
        if (dot == std::string_view::npos) {
            return {};
        }
        rest.remove_prefix(dot + 1);
    }
}

result<std::uint16_t> parse_port(std::string_view text) {
    const auto port = parse_number<std::uint16_t>(text);
    if (!port || *port == 0) {
        return fail(causes::kAddressInvalid, "the port is not a number from 1 to 65535");
    }
    return *port;
}

/// `[v6]` and what follows it.
result<void> parse_bracketed(std::string_view text, NodeAddress& into) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) {
        return fail(causes::kAddressInvalid, "the closing bracket is missing");
    }
    const auto literal = net::SocketAddress::parse(std::string(text.substr(0, end + 1)) + ":1");
    if (!literal || literal->family() != net::SocketAddress::Family::v6) {
        return fail(causes::kAddressInvalid, "there is no IPv6 address in the brackets");
    }
    into.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (rest.empty()) {
        return {};
    }
    if (!rest.starts_with(':')) {
        return fail(causes::kAddressInvalid, "only a port may follow the closing bracket");
    }
    ALKNET_TRY(into.port, parse_port(rest.substr(1)));
    return {};
}

result<void> parse_host_and_port(std::string_view text, NodeAddress& into) {
    if (text.empty()) {
        return fail(causes::kAddressInvalid, "the host is missing");
    }
    if (text.starts_with('[')) {
        return parse_bracketed(text, into);
    }
    const auto colon = text.find(':');
    if (colon != text.rfind(':')) {
        return fail(causes::kAddressInvalid, "an IPv6 address stands in brackets: [::1]:4433");
    }
    const std::string_view host = text.substr(0, colon);
    ALKNET_CHECK(check_host(host));
    into.host = host;
    if (colon != std::string_view::npos) {
        ALKNET_TRY(into.port, parse_port(text.substr(colon + 1)));
    }
    return {};
}

}  // namespace

result<NodeAddress> NodeAddress::parse(std::string_view text) {
    text = trim(text);
    if (text.empty()) {
        return fail(causes::kAddressInvalid, "the address is empty");
    }
    if (text.size() > kTextBytesMax) {
        return fail(causes::kAddressInvalid, "the address is longer than 512 octets");
    }
    if (starts_with_ignoring_case(text, kScheme)) {
        text.remove_prefix(kScheme.size());
    } else if (text.find("://") != std::string_view::npos) {
        return fail(causes::kAddressInvalid, "the scheme is not alknet://");
    }
    NodeAddress address;
    // The comment of an SSH key line has an '@' of its own.
    const auto at = text.starts_with(kSshPrefix) ? std::string_view::npos : text.find('@');
    if (at != std::string_view::npos) {
        ALKNET_TRY(address.id, NodeId::parse(text.substr(0, at)));
        text.remove_prefix(at + 1);
    } else if (looks_like_id(text)) {
        ALKNET_TRY(address.id, NodeId::parse(text));
        return address;
    }
    ALKNET_CHECK(parse_host_and_port(text, address));
    return address;
}

std::string NodeAddress::to_string() const {
    std::string text;
    if (id) {
        text = host.empty() ? id->hex() : std::string(kScheme) + id->hex() + "@";
    }
    const bool v6 = host.find(':') != std::string::npos;
    text += v6 ? "[" + host + "]" : host;
    if (port) {
        text += ":" + std::to_string(*port);
    }
    return text;
}

}  // namespace alknet
