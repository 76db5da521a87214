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

class NodeKey {
public:
    static std::shared_ptr<const NodeKey> generate();
    /// `seed` is the 32 octets of RFC 8032. Errors: kKeyInvalid.
    static result<std::shared_ptr<const NodeKey>> from_seed(BytesView seed);
    /// Reads a PKCS#8 PEM file. Errors: kKeyInvalid, kIo; kHomeInvalid when the file can be read by
    /// others than its owner.
    static result<std::shared_ptr<const NodeKey>> load(const std::filesystem::path& file);
    /// Writes PKCS#8 PEM with mode 0600, durably, never over an existing file.
    /// Errors: kHomeExists, kIo.
    result<void> save(const std::filesystem::path& file) const;

    [[nodiscard]] const NodeId& id() const noexcept { return id_; }
    [[nodiscard]] std::array<std::byte, 64> sign(BytesView message) const;
    /// PKCS#8, DER, 48 octets (RFC 8410).
    [[nodiscard]] SecretBytes pkcs8() const;

private:
    NodeKey(NodeId id, SecretBytes seed) : id_(id), seed_(std::move(seed)) {}
    NodeId id_;
    SecretBytes seed_;
};

/// True when `signature` over `message` is `signer`'s.
[[nodiscard]] bool verify(const NodeId& signer, BytesView message, BytesView signature) noexcept;

}  // namespace alknet::crypto

namespace alknet {
using crypto::NodeKey;
}
