// NodeKey: a node's Ed25519 private key, held in locked memory that is zeroed when it dies.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <array>
#include <filesystem>
#include <memory>

namespace alknet::crypto {

/// Immutable, so that any thread may use it.
class NodeKey {
public:
    static std::shared_ptr<const NodeKey> generate();
    /// `seed` is the 32 octets of RFC 8032. Errors: kKeyInvalid.
    static result<std::shared_ptr<const NodeKey>> from_seed(BytesView seed);
    /// `pem` is the text of a key file, see `load`; its first block counts. Errors: kKeyInvalid.
    static result<std::shared_ptr<const NodeKey>> from_pem(BytesView pem);
    /// Reads a PKCS#8 PEM file (RFC 8410 section 10.3), as `save` and openssl write it, or one of
    /// ssh-keygen's without a passphrase.
    /// Errors: kKeyInvalid; those of read_private_file.
    static result<std::shared_ptr<const NodeKey>> load(const std::filesystem::path& file);
    /// Writes PKCS#8 PEM with mode 0600, durably, never over an existing file.
    /// Errors: kHomeExists, kIo.
    result<void> save(const std::filesystem::path& file) const;

    [[nodiscard]] const NodeId& id() const noexcept { return id_; }
    /// RFC 8032 section 5.1.6: the same message gives the same signature.
    [[nodiscard]] std::array<std::byte, 64> sign(BytesView message) const noexcept;
    /// PKCS#8, DER, 48 octets (RFC 8410).
    [[nodiscard]] SecretBytes pkcs8() const;
    /// What `save` writes.
    [[nodiscard]] SecretBytes pem() const;

private:
    NodeKey(const NodeId& id, SecretBytes secret) noexcept : id_(id), secret_(std::move(secret)) {}
    NodeId id_;
    SecretBytes secret_;  // the seed and behind it the public key, as libsodium signs with it
};

/// True when `signature` over `message` is `signer`'s (RFC 8032 section 5.1.7, without cofactor).
/// Signatures that are not canonical, and keys of small order, never verify.
[[nodiscard]] bool verify(const NodeId& signer, BytesView message, BytesView signature) noexcept;

}  // namespace alknet::crypto

namespace alknet {
using crypto::NodeKey;
}
