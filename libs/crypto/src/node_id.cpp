#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/node_id.hpp>
#include <optional>

#include "sodium.hpp"

namespace alknet::crypto {

namespace {

// SubjectPublicKeyInfo of an Ed25519 key, up to the key (RFC 8410 section 4).
constexpr std::array<std::uint8_t, 12> kSpkiPrefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

// The SSH key blob up to the key (RFC 8709 section 4): two strings with their lengths.
constexpr std::string_view kSshType = "ssh-ed25519";
constexpr std::array<std::uint8_t, 19> kSshPrefix = {
    0, 0, 0, 11, 's', 's', 'h', '-', 'e', 'd', '2', '5', '5', '1', '9', 0, 0, 0, 32};

constexpr std::string_view kFingerprintPrefix = "ed25519:";
constexpr std::string_view kIrohSuffix = ".iroh.invalid";
constexpr std::size_t kHexChars = 64;
constexpr std::size_t kBase32Chars = 52;

template <std::size_t Size>
std::array<std::byte, Size + NodeId::kSize> prefixed(const std::array<std::uint8_t, Size>& prefix,
                                                     BytesView key) noexcept {
    std::array<std::byte, Size + NodeId::kSize> whole{};
    std::ranges::copy(std::as_bytes(std::span(prefix)), whole.begin());
    std::ranges::copy(key, whole.begin() + Size);
    return whole;
}

template <std::size_t Size>
bool has_prefix(BytesView whole, const std::array<std::uint8_t, Size>& prefix) noexcept {
    return whole.size() == Size + NodeId::kSize &&
           std::ranges::equal(whole.first(Size), std::as_bytes(std::span(prefix)));
}

std::string_view trim(std::string_view text) noexcept {
    constexpr std::string_view kSpace = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool drop_prefix(std::string_view& text, std::string_view prefix) noexcept {
    const bool there = text.starts_with(prefix);
    text.remove_prefix(there ? prefix.size() : 0);
    return there;
}

/// `AAAA… [comment]`, what follows the type in an OpenSSH line.
std::optional<Bytes> decode_ssh(std::string_view text) {
    text = trim(text);
    const auto blob = base64_decode(text.substr(0, text.find_first_of(" \t")));
    if (!blob || !has_prefix(*blob, kSshPrefix)) {
        return std::nullopt;
    }
    return to_bytes(BytesView(*blob).subspan(kSshPrefix.size()));
}

std::optional<Bytes> decode(std::string_view text) {
    if (drop_prefix(text, kSshType)) {
        return text.starts_with(' ') || text.starts_with('\t') ? decode_ssh(text) : std::nullopt;
    }
    if (drop_prefix(text, kFingerprintPrefix) || text.size() == kHexChars) {
        return hex_decode(text);
    }
    const bool server_name = text.ends_with(kIrohSuffix);
    text.remove_suffix(server_name ? kIrohSuffix.size() : 0);
    if (text.size() != kBase32Chars) {
        return std::nullopt;
    }
    if (!server_name) {
        for (const Base32 alphabet : {Base32::z, Base32::rfc4648}) {
            if (auto key = base32_decode(text, alphabet)) {
                return key;
            }
        }
    }
    return base32_decode(text, Base32::dnssec);
}

std::array<std::byte, 51> ssh_blob(BytesView key) noexcept {
    return prefixed(kSshPrefix, key);
}

}  // namespace

result<NodeId> NodeId::from_bytes(BytesView key) {
    if (key.size() != kSize) {
        return fail(causes::kKeyInvalid, "a public key has 32 octets");
    }
    if (crypto_core_ed25519_is_valid_point(octets(key)) != 1) {
        return fail(causes::kKeyInvalid, "these octets are not an Ed25519 public key");
    }
    NodeId id;
    std::ranges::copy(key, id.key_.begin());
    return id;
}

result<NodeId> NodeId::parse(std::string_view text) {
    text = trim(text);
    if (text.size() > kTextBytesMax) {
        return fail(causes::kKeyInvalid, "the text is too long");
    }
    const auto key = decode(text);
    if (!key) {
        return fail(causes::kKeyInvalid, "no known text form of a node id");
    }
    return from_bytes(*key);
}

result<NodeId> NodeId::from_spki(BytesView der) {
    if (!has_prefix(der, kSpkiPrefix)) {
        return fail(causes::kKeyInvalid, "not the SubjectPublicKeyInfo of an Ed25519 key");
    }
    return from_bytes(der.subspan(kSpkiPrefix.size()));
}

std::string NodeId::hex() const {
    return hex_encode(key_);
}

std::string NodeId::fingerprint() const {
    return std::string(kFingerprintPrefix) + hex();
}

std::string NodeId::z_base_32() const {
    return base32_encode(key_, Base32::z);
}

std::string NodeId::base32() const {
    return base32_encode(key_);
}

std::string NodeId::base32_dnssec() const {
    return base32_encode(key_, Base32::dnssec);
}

std::string NodeId::openssh() const {
    return std::string(kSshType) + ' ' + base64_encode(ssh_blob(key_));
}

std::string NodeId::openssh_fingerprint() const {
    const auto blob = ssh_blob(key_);
    std::array<std::byte, crypto_hash_sha256_BYTES> digest{};
    crypto_hash_sha256(octets(MutableBytes(digest)), octets(BytesView(blob)), blob.size());
    return "SHA256:" + base64_encode(digest, Base64::unpadded);
}

std::array<std::byte, 44> NodeId::spki() const noexcept {
    return prefixed(kSpkiPrefix, key_);
}

}  // namespace alknet::crypto
