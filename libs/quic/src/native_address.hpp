// Addresses and paths in ngtcp2's form.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <alknet/net/socket_address.hpp>

namespace alknet::quic {

/// A path that owns its addresses. Not copyable: ngtcp2's form points into it.
class NativePath {
public:
    NativePath(const SocketAddress& local, const SocketAddress& remote) noexcept;
    NativePath(const NativePath&) = delete;
    NativePath& operator=(const NativePath&) = delete;

    [[nodiscard]] const ngtcp2_path* get() const noexcept { return &storage_.path; }
    [[nodiscard]] const ngtcp2_addr& remote() const noexcept { return storage_.path.remote; }

private:
    ngtcp2_path_storage storage_{};
};

[[nodiscard]] SocketAddress to_address(const ngtcp2_addr& address) noexcept;

}  // namespace alknet::quic
