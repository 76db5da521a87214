#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/net/address_range.hpp>
#include <alknet/net/proxy.hpp>
#include <alknet/net/socket_address.hpp>

namespace alknet::net {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_text(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<int> hex_digit(char c) {
    const char l = lower(c);
    if (l >= '0' && l <= '9') {
        return l - '0';
    }
    return l >= 'a' && l <= 'f' ? std::optional(l - 'a' + 10) : std::nullopt;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
        const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
        if (!high || !low) {
            return std::nullopt;
        }
        decoded += static_cast<char>(*high * 16 + *low);
        i += 2;
    }
    return decoded;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
    const auto port = parse_number<std::uint16_t>(text);
    return port && *port != 0 ? port : std::nullopt;
}

struct HostPort {
    std::string_view host;
    std::string_view port;  // empty: none
};

/// `HOST`, `HOST:PORT`, `[V6]`, `[V6]:PORT`; a bare V6 has no port.
std::optional<HostPort> split(std::string_view text) {
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos || text.substr(0, close).find(':') == text.npos) {
            return std::nullopt;
        }
        const std::string_view rest = text.substr(close + 1);
        if (!rest.empty() && (rest.front() != ':' || rest.size() == 1)) {
            return std::nullopt;
        }
        return HostPort{text.substr(1, close - 1), rest.empty() ? rest : rest.substr(1)};
    }
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
        return HostPort{text, {}};
    }
    if (colon + 1 == text.size()) {
        return std::nullopt;
    }
    return HostPort{text.substr(0, colon), text.substr(colon + 1)};
}

std::optional<SocketAddress> literal(std::string_view host) {
    const bool v6 = host.find(':') != std::string_view::npos;
    const auto parsed =
        SocketAddress::parse(v6 ? "[" + std::string(host) + "]:1" : std::string(host) + ":1");
    return parsed ? std::optional(*parsed) : std::nullopt;
}

bool host_is_sound(std::string_view host) {
    if (host.empty() || host.size() > ProxyUrl::kHostBytesMax) {
        return false;
    }
    if (host.find(':') != std::string_view::npos) {
        return literal(host).has_value();
    }
    return std::ranges::all_of(host, [](char c) {
        const char l = lower(c);
        return (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || l == '.' || l == '-' || l == '_';
    });
}

result<void> read_credentials(std::string_view text, ProxyUrl& into) {
    const std::size_t colon = text.find(':');
    const auto user = percent_decode(text.substr(0, colon));
    const auto password =
        percent_decode(colon == std::string_view::npos ? "" : text.substr(colon + 1));
    if (!user || !password || user->empty() || user->size() > ProxyUrl::kCredentialBytesMax ||
        password->size() > ProxyUrl::kCredentialBytesMax) {
        return fail(causes::kProxyInvalid, "its user and password cannot be read");
    }
    if (into.kind == ProxyUrl::Kind::http && user->find(':') != std::string::npos) {
        return fail(causes::kProxyInvalid, "a user of an HTTP proxy cannot have a colon");
    }
    into.user = *user;
    into.password = *password;
    return {};
}

bool entry_covers(std::string_view entry, std::string_view host, std::uint16_t port) {
    if (entry == "*") {
        return true;
    }
    const std::optional<SocketAddress> address = literal(host);
    if (entry.find('/') != std::string_view::npos) {
        const auto range = AddressRange::parse_loosely(entry);
        return range && address && range->contains(*address);
    }
    const auto parts = split(entry);
    if (!parts || (!parts->port.empty() && port_of(parts->port) != port)) {
        return false;
    }
    std::string_view name = parts->host;
    if (address) {
        return literal(name) == address;
    }
    if (name.starts_with('.')) {
        name.remove_prefix(1);
    }
    if (name.empty() || host.size() < name.size() ||
        !same_text(host.substr(host.size() - name.size()), name)) {
        return false;
    }
    return host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
}

}  // namespace

result<ProxyUrl> ProxyUrl::parse(std::string_view text) {
    ProxyUrl url;
    if (text.size() > kTextBytesMax) {
        return fail(causes::kProxyInvalid, "it is too long");
    }
    std::uint16_t default_port = 80;
    if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
        const std::string_view name = text.substr(0, scheme);
        if (same_text(name, "socks5") || same_text(name, "socks5h")) {
            url.kind = Kind::socks5;
            default_port = 1080;
        } else if (!same_text(name, "http")) {
            return fail(causes::kProxyInvalid, "it is neither http:// nor socks5://");
        }
        text.remove_prefix(scheme + 3);
    }
    // The password may have any character but a slash; the host begins after the last @.
    text = text.substr(0, text.find('/'));
    if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
        ALKNET_CHECK(read_credentials(text.substr(0, at), url));
        text.remove_prefix(at + 1);
    }
    const auto parts = split(text);
    if (!parts || !host_is_sound(parts->host)) {
        return fail(causes::kProxyInvalid, "it names no host");
    }
    const auto port = parts->port.empty() ? std::optional(default_port) : port_of(parts->port);
    if (!port) {
        return fail(causes::kProxyInvalid, "its port is no number from 1 to 65535");
    }
    url.host = parts->host;
    url.port = *port;
    return url;
}

std::string ProxyUrl::to_string() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (kind == Kind::http ? "http://" : "socks5h://") + (v6 ? "[" + host + "]" : host) + ":" +
           std::to_string(port);
}

bool no_proxy_covers(std::string_view no_proxy, std::string_view host, std::uint16_t port) {
    constexpr std::string_view kBetween = ", \t";
    while (!no_proxy.empty()) {
        const std::size_t end = std::min(no_proxy.find_first_of(kBetween), no_proxy.size());
        if (end > 0 && entry_covers(no_proxy.substr(0, end), host, port)) {
            return true;
        }
        no_proxy.remove_prefix(std::min(end + 1, no_proxy.size()));
    }
    return false;
}

result<std::optional<ProxyUrl>> ProxySettings::proxy_for(std::string_view host,
                                                         std::uint16_t port) const {
    const bool https = !https_proxy.empty();
    const std::string& text = https ? https_proxy : all_proxy;
    if (text.empty() || no_proxy_covers(no_proxy, host, port)) {
        return std::nullopt;
    }
    auto url = ProxyUrl::parse(text);
    if (!url) {
        return unexpected(std::move(url).error().within(https ? "HTTPS_PROXY" : "ALL_PROXY"));
    }
    return std::move(*url);
}

}  // namespace alknet::net
