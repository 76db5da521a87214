#include "native_address.hpp"

#include <sys/socket.h>

namespace alknet::quic {

NativePath::NativePath(const SocketAddress& local, const SocketAddress& remote) noexcept {
    sockaddr_storage from{};
    sockaddr_storage to{};
    const auto from_size = local.to_native(from);
    const auto to_size = remote.to_native(to);
    ngtcp2_path_storage_init(&storage_, reinterpret_cast<const ngtcp2_sockaddr*>(&from), from_size,
                             reinterpret_cast<const ngtcp2_sockaddr*>(&to), to_size, nullptr);
}

SocketAddress to_address(const ngtcp2_addr& address) noexcept {
    return SocketAddress::from_native(address.addr);
}

}  // namespace alknet::quic
