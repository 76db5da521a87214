// Users' keys as they arrive (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709, OpenSSH's
// sk-ssh-ed25519), and whether signatures are theirs. Sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/ssh/limits.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace alknet::ssh {

enum class KeyType : std::uint8_t { ed25519, sk_ed25519, ecdsa_p256, rsa };

/// Of a key in any type, as `ssh-keygen -l` prints it.
[[nodiscard]] std::string digest_fingerprint(BytesView blob);

class PublicKey final {
public:
    /// Errors: kKeyInvalid, for what is no key of these types, or none that is safe to use.
    static result<PublicKey> parse(BytesView blob);

    [[nodiscard]] KeyType type() const noexcept { return type_; }
    /// Under which a peer record may have it: `ed25519:<hex>`, else `SHA256:<base64>` of the blob.
    [[nodiscard]] const std::string& fingerprint() const noexcept { return fingerprint_; }
    /// Whether `algorithm`, as a request names it, is one that this key signs with.
    [[nodiscard]] bool signs_with(std::string_view algorithm) const noexcept;
    /// `signature` is SSH's: the algorithm, which must be this one, and what it needs.
    [[nodiscard]] bool verify(std::string_view algorithm, BytesView message,
                              BytesView signature) const;

private:
    PublicKey(KeyType type, std::string fingerprint) noexcept
        : type_(type), fingerprint_(std::move(fingerprint)) {}

    KeyType type_;
    std::string fingerprint_;
    Bytes first_;   // the point; the modulus
    Bytes second_;  // the application of a security key; the exponent
};

}  // namespace alknet::ssh
