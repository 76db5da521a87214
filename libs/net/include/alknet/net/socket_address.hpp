// An IPv4 or IPv6 address with a port, as a value.
#pragma once

#include <alknet/base/result.hpp>
#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

struct sockaddr;
struct sockaddr_storage;

namespace alknet::net {

class SocketAddress {
public:
    enum class Family : std::uint8_t { none, v4, v6 };

    SocketAddress() = default;
    static SocketAddress v4(std::array<std::uint8_t, 4> ip, std::uint16_t port) noexcept;
    static SocketAddress v6(std::array<std::uint8_t, 16> ip, std::uint16_t port,
                            std::uint32_t scope = 0) noexcept;
    /// `127.0.0.1:443`, `[::1]:443`, `[fe80::1%2]:443`. No names. Errors: kAddressInvalid.
    static result<SocketAddress> parse(std::string_view text);
    /// IPv4-mapped IPv6 addresses become IPv4.
    static SocketAddress from_native(const sockaddr* address) noexcept;
    /// Returns the length. With `mapped`, IPv4 is written as IPv4-mapped IPv6.
    unsigned to_native(sockaddr_storage& into, bool mapped = false) const noexcept;

    [[nodiscard]] Family family() const noexcept { return family_; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] SocketAddress with_port(std::uint16_t port) const noexcept;
    /// 4 octets at the front for v4, else 16.
    [[nodiscard]] const std::array<std::uint8_t, 16>& ip() const noexcept { return ip_; }
    [[nodiscard]] bool is_any() const noexcept;
    [[nodiscard]] bool is_loopback() const noexcept;
    /// The unit in which limits count addresses: IPv4 whole, IPv6 by its /56.
    [[nodiscard]] SocketAddress limit_group() const noexcept;
    [[nodiscard]] std::string ip_text() const;
    [[nodiscard]] std::string to_string() const;

    auto operator<=>(const SocketAddress&) const = default;

private:
    Family family_ = Family::none;
    std::uint16_t port_ = 0;
    std::uint32_t scope_ = 0;
    std::array<std::uint8_t, 16> ip_{};
};

}  // namespace alknet::net

namespace alknet {
using net::SocketAddress;
}

template <>
struct std::hash<alknet::net::SocketAddress> {
    std::size_t operator()(const alknet::net::SocketAddress& address) const noexcept;
};
