// NodeId: a node's Ed25519 public key, which is its name. The same 32 octets are the TLS raw public
// key (RFC 7250), the iroh node id, the SSH key and the signer of tokens.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <array>
#include <compare>
#include <string>
#include <string_view>

namespace alknet::crypto {

class NodeId {
public:
    static constexpr std::size_t kSize = 32;
    /// Longest text that `parse` looks at: an OpenSSH line may have a comment.
    static constexpr std::size_t kTextBytesMax = 1024;

    NodeId() = default;
    /// Takes the octets unchecked: for a key that we made or that `from_bytes` accepted before.
    explicit NodeId(const std::array<std::byte, kSize>& key) noexcept : key_(key) {}

    /// Accepts 64 hex digits, `ed25519:<hex>`, z-base-32 and base32 (52 characters), base32-dnssec
    /// with or without `.iroh.invalid` (an iroh server name), and an OpenSSH
    /// `ssh-ed25519 AAAA… [comment]` line; hex and base32 digits in either case, all with white
    /// space around. The three 52-character forms cannot be confused: the last character, which has
    /// one bit of the key and four zero bits, differs in all of them. Errors: kKeyInvalid, also for
    /// what is no public key: see `from_bytes`.
    static result<NodeId> parse(std::string_view text);
    /// Checks that the 32 octets are the canonical encoding (RFC 8032 section 5.1.2) of a point of
    /// the prime-order subgroup, as all honest keys are: no other octets name the same key.
    /// Errors: kKeyInvalid.
    static result<NodeId> from_bytes(BytesView key);

    [[nodiscard]] BytesView bytes() const noexcept { return key_; }

    [[nodiscard]] std::string hex() const;
    /// The canonical form in records, configuration and logs: `ed25519:<64 hex>`.
    [[nodiscard]] std::string fingerprint() const;
    [[nodiscard]] std::string z_base_32() const;
    [[nodiscard]] std::string base32() const;
    /// The form in iroh server names, without `.iroh.invalid`.
    [[nodiscard]] std::string base32_dnssec() const;
    /// `ssh-ed25519 AAAA…` (RFC 8709), without a comment.
    [[nodiscard]] std::string openssh() const;
    /// `SHA256:<base64>` of the SSH key blob, as ssh-keygen -l prints it.
    [[nodiscard]] std::string openssh_fingerprint() const;
    /// SubjectPublicKeyInfo, DER, 44 octets (RFC 8410).
    [[nodiscard]] std::array<std::byte, 44> spki() const noexcept;
    /// The inverse of spki(); checks like `from_bytes`. Errors: kKeyInvalid.
    static result<NodeId> from_spki(BytesView der);

    auto operator<=>(const NodeId&) const = default;

private:
    std::array<std::byte, kSize> key_{};
};

}  // namespace alknet::crypto

namespace alknet {
using crypto::NodeId;
}
