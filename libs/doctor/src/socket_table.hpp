// /proc/net/{tcp,tcp6,udp,udp6} as text: which sockets are bound where. Sans-I/O.
#pragma once

#include <alknet/net/connection.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace alknet::doctor {

struct BoundSocket {
    SocketAddress local;
    std::uint64_t inode = 0;
    bool operator==(const BoundSocket&) const = default;
};

/// Of TCP those that listen, of UDP all. Lines that are not understood are left out.
[[nodiscard]] std::vector<BoundSocket> parse_socket_table(std::string_view text,
                                                          Transport transport);

/// `0100007F:1151`, or with 32 digits for IPv6: words in the byte order of this machine.
[[nodiscard]] std::optional<SocketAddress> parse_table_address(std::string_view text);

/// Whether a socket that is bound to `held` keeps another one from `wanted`.
[[nodiscard]] bool in_the_way(const SocketAddress& held, const SocketAddress& wanted) noexcept;

/// UDP packets for which there was no room, as /proc/net/snmp (a line of names and one of numbers)
/// or /proc/net/snmp6 (a name and a number on each line) counts them; 0 if it does not.
[[nodiscard]] std::uint64_t parse_udp_drops(std::string_view text);

/// `socket:[12345]`, as a link in /proc/PID/fd reads.
[[nodiscard]] std::optional<std::uint64_t> parse_socket_link(std::string_view text) noexcept;

}  // namespace alknet::doctor
