// Ed25519 private keys as ssh-keygen writes them: the octets of an OPENSSH PRIVATE KEY block
// (OpenSSH's PROTOCOL.key).
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/secret_bytes.hpp>

namespace alknet::crypto {

/// The seed. The key must be alone in its file, Ed25519, and without a passphrase; its public half
/// must belong to it. Errors: kKeyInvalid, which says what to do.
result<SecretBytes> seed_of_openssh(BytesView block);

}  // namespace alknet::crypto
