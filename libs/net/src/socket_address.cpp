#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstring>
#include <functional>
#include <optional>

namespace alknet::net {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kLimitPrefixOctets = 7;  // a /56

/// inet_pton wants a terminated text, and a `string_view` with a NUL inside is no address.
template <std::size_t Size>
bool parse_ip(int family, std::string_view text, std::array<std::uint8_t, Size>& ip) noexcept {
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) {
        return false;
    }
    std::ranges::copy(text, terminated.begin());
    return inet_pton(family, terminated.data(), ip.data()) == 1;
}

std::unexpected<error> invalid(std::string_view text) {
    constexpr std::size_t kShownMax = 80;
    return fail(causes::kAddressInvalid, std::string(text.substr(0, kShownMax)));
}

/// `[ip]` or `[ip%scope]`, without the brackets.
std::optional<SocketAddress> parse_v6(std::string_view text, std::uint16_t port) noexcept {
    std::uint32_t scope = 0;
    if (const std::size_t percent = text.find('%'); percent != std::string_view::npos) {
        const auto number = parse_plain_number<std::uint32_t>(text.substr(percent + 1));
        if (!number) {
            return std::nullopt;
        }
        scope = *number;
        text = text.substr(0, percent);
    }
    std::array<std::uint8_t, 16> ip{};
    if (!parse_ip(AF_INET6, text, ip)) {
        return std::nullopt;
    }
    return SocketAddress::v6(ip, port, scope);
}

}  // namespace

SocketAddress SocketAddress::v4(std::array<std::uint8_t, 4> ip, std::uint16_t port) noexcept {
    SocketAddress address;
    address.family_ = Family::v4;
    address.port_ = port;
    std::ranges::copy(ip, address.ip_.begin());
    return address;
}

SocketAddress SocketAddress::v6(std::array<std::uint8_t, 16> ip, std::uint16_t port,
                                std::uint32_t scope) noexcept {
    if (std::ranges::equal(std::span(ip).first<12>(), kMappedPrefix)) {
        return v4({ip[12], ip[13], ip[14], ip[15]}, port);
    }
    SocketAddress address;
    address.family_ = Family::v6;
    address.port_ = port;
    address.scope_ = scope;
    address.ip_ = ip;
    return address;
}

result<SocketAddress> SocketAddress::parse(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return invalid(text);
    }
    const auto port = parse_plain_number<std::uint16_t>(text.substr(colon + 1));
    if (!port) {
        return invalid(text);
    }
    const std::string_view host = text.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        const auto address = parse_v6(host.substr(1, host.size() - 2), *port);
        return address ? result<SocketAddress>(*address) : invalid(text);
    }
    std::array<std::uint8_t, 4> ip{};
    return parse_ip(AF_INET, host, ip) ? result<SocketAddress>(v4(ip, *port)) : invalid(text);
}

SocketAddress SocketAddress::from_native(const sockaddr* address) noexcept {
    // Copied, because nothing promises the alignment of what the system's structures hold.
    if (address->sa_family == AF_INET) {
        sockaddr_in native{};
        std::memcpy(&native, address, sizeof native);
        std::array<std::uint8_t, 4> ip{};
        std::memcpy(ip.data(), &native.sin_addr, ip.size());
        return v4(ip, ntohs(native.sin_port));
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 native{};
        std::memcpy(&native, address, sizeof native);
        std::array<std::uint8_t, 16> ip{};
        std::memcpy(ip.data(), &native.sin6_addr, ip.size());
        return v6(ip, ntohs(native.sin6_port), native.sin6_scope_id);
    }
    return {};
}

unsigned SocketAddress::to_native(sockaddr_storage& into, bool mapped) const noexcept {
    into = {};
    if (family_ == Family::none) {
        return 0;
    }
    if (family_ == Family::v4 && !mapped) {
        sockaddr_in native{};
        native.sin_family = AF_INET;
        native.sin_port = htons(port_);
        std::memcpy(&native.sin_addr, ip_.data(), sizeof native.sin_addr);
        std::memcpy(&into, &native, sizeof native);
        return sizeof native;
    }
    sockaddr_in6 native{};
    native.sin6_family = AF_INET6;
    native.sin6_port = htons(port_);
    native.sin6_scope_id = scope_;
    auto* ip = reinterpret_cast<std::uint8_t*>(&native.sin6_addr);
    if (family_ == Family::v4) {
        std::ranges::copy(kMappedPrefix, ip);
        std::copy_n(ip_.begin(), 4, ip + kMappedPrefix.size());
    } else {
        std::ranges::copy(ip_, ip);
    }
    std::memcpy(&into, &native, sizeof native);
    return sizeof native;
}

SocketAddress SocketAddress::with_port(std::uint16_t port) const noexcept {
    SocketAddress changed = *this;
    changed.port_ = port;
    return changed;
}

bool SocketAddress::is_any() const noexcept {
    return family_ != Family::none && ip_ == decltype(ip_){};
}

bool SocketAddress::is_loopback() const noexcept {
    constexpr std::array<std::uint8_t, 16> kV6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return family_ == Family::v4 ? ip_[0] == 127 : family_ == Family::v6 && ip_ == kV6;
}

SocketAddress SocketAddress::limit_group() const noexcept {
    SocketAddress group = with_port(0);
    group.scope_ = 0;
    if (family_ == Family::v6) {
        std::fill(group.ip_.begin() + kLimitPrefixOctets, group.ip_.end(), std::uint8_t{0});
    }
    return group;
}

std::string SocketAddress::ip_text() const {
    if (family_ == Family::none) {
        return {};
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(family_ == Family::v4 ? AF_INET : AF_INET6, ip_.data(), text.data(), text.size());
    return scope_ == 0 ? text.data() : text.data() + ('%' + std::to_string(scope_));
}

std::string SocketAddress::to_string() const {
    switch (family_) {
        case Family::v4:
            return ip_text() + ':' + std::to_string(port_);
        case Family::v6:
            return '[' + ip_text() + "]:" + std::to_string(port_);
        case Family::none:
            break;
    }
    return {};
}

}  // namespace alknet::net

std::size_t std::hash<alknet::net::SocketAddress>::operator()(
    const alknet::net::SocketAddress& address) const noexcept {
    std::array<char, 18> octets{};
    std::ranges::copy(address.ip(), octets.begin());
    octets[16] = static_cast<char>(address.port() >> 8);
    octets[17] = static_cast<char>(address.port() & 0xff);
    return std::hash<std::string_view>()({octets.data(), octets.size()});
}
