// What the sockets of this room have in common.
#pragma once

#include <alknet/base/os_error.hpp>
#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/network.hpp>
#include <alknet/net/socket_address.hpp>

namespace alknet::net {

/// A non-blocking socket of the address' family, `SOCK_DGRAM` or `SOCK_STREAM`. IPv6 sockets take
/// IPv4 too if and only if `address` is `[::]`. Errors: kAddressInvalid, kIo.
result<UniqueFd> open_socket(const SocketAddress& address, int type);

/// Errors: kAddressInUse, kIo, both naming the address.
result<void> bind_socket(int fd, const SocketAddress& address);

/// The same for one of several sockets on a port. A TCP socket must not listen yet.
result<void> bind_shared(int fd, const SocketAddress& address, const PortShare& share);

/// False if the system does not have the option, or does not take the value.
bool set_option(int fd, int level, int option, int value) noexcept;

[[nodiscard]] SocketAddress local_address_of(int fd) noexcept;

/// Whether this `errno` says that nothing answers at an address.
[[nodiscard]] bool is_unreachable(int number) noexcept;

}  // namespace alknet::net
