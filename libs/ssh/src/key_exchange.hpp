// What a key exchange computes: X25519 (RFC 7748, 8731), the exchange hash and the keys (RFC 4253
// sections 7.2 and 8).
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>

namespace alknet::ssh {

inline constexpr std::size_t kShareBytes = 32;
using Digest = std::array<std::byte, 32>;

class KeyShare {
public:
    /// From 32 random octets, which the caller wipes.
    explicit KeyShare(BytesView secret);

    [[nodiscard]] BytesView share() const noexcept { return share_; }
    /// The shared secret as a number (`mpint`, its length included). Errors: kProtocol for a share
    /// of another size, and one that gives nothing secret.
    [[nodiscard]] result<crypto::SecretBytes> agree(BytesView peer) const;

private:
    crypto::SecretBytes secret_;
    std::array<std::byte, kShareBytes> share_{};
};

struct ExchangeInput {
    std::string_view client_ident;
    std::string_view server_ident;
    BytesView client_init;
    BytesView server_init;
    BytesView host_key;
    BytesView client_share;
    BytesView server_share;
    BytesView shared;  // as KeyShare::agree gives it
};
[[nodiscard]] Digest exchange_hash(const ExchangeInput& input);

/// Fills `into` with the key that `letter` stands for.
void derive_key(BytesView shared, BytesView hash, char letter, BytesView session_id,
                MutableBytes into);

}  // namespace alknet::ssh
