// Ed25519 private keys in PKCS#8 (RFC 5958, RFC 8410 section 7).
// All secret octets stay in SecretBytes.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/secret_bytes.hpp>

namespace alknet::crypto {

inline constexpr std::size_t kSeedBytes = 32;

/// Version 1, without the public key.
SecretBytes pkcs8_of_seed(BytesView seed);

/// The seed. Takes version 1 and version 2; the public key of the latter must belong to the seed.
/// Errors: kKeyInvalid.
result<SecretBytes> seed_of_pkcs8(BytesView der);

SecretBytes pem_of_pkcs8(BytesView der);

/// Whether it is the public key of this seed.
[[nodiscard]] bool belongs_to_seed(BytesView public_key, BytesView seed);

}  // namespace alknet::crypto
