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

    NodeId() = default;
    explicit NodeId(const std::array<std::byte, kSize>& key) noexcept : key_(key) {}

    /// Accepts 64 hex digits, `ed25519:<hex>`, z-base-32 (52), base32 (52, either case),
    /// base32-dnssec as in an iroh server name, and an OpenSSH `ssh-ed25519 AAAA… [comment]` line.
    /// Errors: kKeyInvalid, also for keys that are not canonical points or are of small order.
    static result<NodeId> parse(std::string_view text);

    [[nodiscard]] BytesView bytes() const noexcept { return key_; }

    [[nodiscard]] std::string hex() const;
    /// The canonical form in records, configuration and logs: `ed25519:<64 hex>`.
    [[nodiscard]] std::string fingerprint() const;
    [[nodiscard]] std::string z_base_32() const;
    [[nodiscard]] std::string base32() const;
    /// `ssh-ed25519 AAAA…` (RFC 8709), without a comment.
    [[nodiscard]] std::string openssh() const;
    /// `SHA256:<base64>` of the SSH key blob, as ssh-keygen -l prints it.
    [[nodiscard]] std::string openssh_fingerprint() const;
    /// SubjectPublicKeyInfo, DER, 44 octets (RFC 8410).
    [[nodiscard]] std::array<std::byte, 44> spki() const noexcept;
    /// The inverse of spki(). Errors: kKeyInvalid.
    static result<NodeId> from_spki(BytesView der);

    auto operator<=>(const NodeId&) const = default;

private:
    std::array<std::byte, kSize> key_{};
};

}  // namespace alknet::crypto

namespace alknet {
using crypto::NodeId;
}
