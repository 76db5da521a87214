// What ngtcp2 calls. These functions note what happened and change our own state; they never call
// back into ngtcp2's reading and writing, and they resume nobody.
#pragma once

#include <ngtcp2/ngtcp2.h>

namespace alknet::quic {

class ConnectionImpl;

/// While it lives, packets that are decrypted on this thread belong to `connection`.
class OpeningScope {
public:
    explicit OpeningScope(ConnectionImpl& connection) noexcept;
    OpeningScope(const OpeningScope&) = delete;
    OpeningScope& operator=(const OpeningScope&) = delete;
    ~OpeningScope();
};

[[nodiscard]] ngtcp2_callbacks make_callbacks(bool server) noexcept;

}  // namespace alknet::quic
