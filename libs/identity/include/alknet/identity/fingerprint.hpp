// Fingerprints: the one canonical text under which a key stands in a peer record, from every form
// in which a person may have it.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

/// Accepts what core's canonical_fingerprint does (node ids in hex, `ed25519:<hex>`, z-base-32,
/// base32, an ssh-ed25519 line; `x509-sha256:<hex>`) and `SHA256:<base64>`, as ssh-keygen -l prints
/// it. The last is a digest, from which no key can be told: it stays as it is, without padding, and
/// is compared with the digest of a key that was proven. Besides, of whoever has a certificate for
/// a principal: `cert:PRINCIPAL:KEY`, or as OpenSSH writes it
/// `cert-authority,principals="PRINCIPAL" ssh-ed25519 …`, where KEY is the authority's in any of
/// those forms but X.509. `cert-authority ssh-ed25519 …`, or `cert::KEY`, is for whom
/// `with_principal` says. Errors: kKeyInvalid.
result<std::string> parse_fingerprint(std::string_view text);

/// What `parse_fingerprint` gave, for the principal `name` where it names none.
[[nodiscard]] std::string with_principal(std::string canonical, std::string_view name);

/// All texts under which a record may have the key `canonical` names: itself, and for an Ed25519
/// key, also an authority's, its `SHA256:` form.
[[nodiscard]] std::vector<std::string> fingerprint_aliases(const std::string& canonical);

/// The first octets of SHA-256 of the 32 octets of a public key. Several keys may have the same.
using KeyId = std::array<std::byte, 8>;
[[nodiscard]] KeyId key_id(const NodeId& id) noexcept;

/// The key that a fingerprint which `parse_fingerprint` gave is of. nullopt: it is a digest's.
[[nodiscard]] std::optional<NodeId> key_of_fingerprint(std::string_view canonical);

}  // namespace alknet::identity
