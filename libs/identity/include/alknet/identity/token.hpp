// Tokens that are secrets: made here, shown once, and kept as the digest of their text.
// docs/protocol/token.md describes them.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <alknet/identity/peers.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::identity {

/// No longer token is looked at.
inline constexpr std::size_t kTokenBytesMax = 1024;
inline constexpr std::string_view kApiKeyPrefix = "alk_";

/// SHA-256 of the text.
[[nodiscard]] TokenHash token_hash(std::string_view token) noexcept;

struct NewToken {
    std::string id;            // `alk_` and the 8 characters behind it
    crypto::SecretBytes text;  // `alk_` and 52 base32 digits: 256 random bits
    TokenHash hash{};
};
[[nodiscard]] NewToken make_token();

/// Any octets of any length. nullopt: not known. Errors: kTokenInvalid for one that is known and
/// expired, or whose peer is disabled or expired.
[[nodiscard]] result<std::optional<Identity>> resolve_stored_token(const PeerDirectory& peers,
                                                                   std::string_view token,
                                                                   WallTime now);

}  // namespace alknet::identity
