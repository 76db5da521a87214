#include "system_socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <alknet/base/causes.hpp>
#include <cerrno>

namespace alknet::net {

namespace {

bool is_v6(const SocketAddress& address) noexcept {
    return address.family() == SocketAddress::Family::v6;
}

}  // namespace

result<UniqueFd> open_socket(const SocketAddress& address, int type) {
    if (address.family() == SocketAddress::Family::none) {
        return fail(causes::kAddressInvalid, "no address");
    }
    const int family = is_v6(address) ? AF_INET6 : AF_INET;
    UniqueFd fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        return os_fail("socket", errno, address.to_string());
    }
    if (is_v6(address) &&
        !set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, address.is_any() ? 0 : 1)) {
        return os_fail("IPV6_V6ONLY", errno, address.to_string());
    }
    return fd;
}

result<void> bind_socket(int fd, const SocketAddress& address) {
    sockaddr_storage native{};
    const unsigned size = address.to_native(native);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&native), size) != 0) {
        return errno == EADDRINUSE ? fail(causes::kAddressInUse, address.to_string())
                                   : os_fail("bind", errno, address.to_string());
    }
    return {};
}

result<void> bind_shared(int fd, const SocketAddress& address, const PortShare& share) {
    const auto allow = [&]() -> result<void> {
        if (!set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
            return os_fail("SO_REUSEPORT", errno, address.to_string());
        }
        return {};
    };
    if (share.index > 0) {
        ALKNET_CHECK(allow());
    }
    ALKNET_CHECK(bind_socket(fd, address));
    if (share.index == 0 && share.count > 1) {
        ALKNET_CHECK(allow());
    }
    return {};
}

bool set_option(int fd, int level, int option, int value) noexcept {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

SocketAddress local_address_of(int fd) noexcept {
    sockaddr_storage native{};
    socklen_t size = sizeof native;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&native), &size) != 0) {
        return {};
    }
    return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native));
}

bool is_unreachable(int number) noexcept {
    switch (number) {
        case ECONNREFUSED:
        case EHOSTUNREACH:
        case EHOSTDOWN:
        case ENETUNREACH:
        case ENETDOWN:
        case EADDRNOTAVAIL:
        case ENOPROTOOPT:
        case EACCES:  // administratively prohibited
            return true;
        default:
            return false;
    }
}

}  // namespace alknet::net
