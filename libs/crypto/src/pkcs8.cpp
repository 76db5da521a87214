#include "pkcs8.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <array>

#include "sodium.hpp"

namespace alknet::crypto {

namespace {

// Up to the seed: SEQUENCE of the rest, version 0, algorithm 1.3.101.112, the wrapped seed.
constexpr std::array<std::uint8_t, 16> kPrefixV1 = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
// The same with version 1 and room for the public key, which follows the seed as [1] BIT STRING.
constexpr std::array<std::uint8_t, 16> kPrefixV2 = {0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06,
                                                    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::array<std::uint8_t, 3> kPublicKeyPrefix = {0x81, 0x21, 0x00};
constexpr std::size_t kBytesV1 = kPrefixV1.size() + kSeedBytes;
constexpr std::size_t kBytesV2 =
    kBytesV1 + kPublicKeyPrefix.size() + crypto_sign_ed25519_PUBLICKEYBYTES;

constexpr std::string_view kHead = "-----BEGIN PRIVATE KEY-----\n";
constexpr std::string_view kTail = "\n-----END PRIVATE KEY-----\n";
constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;

template <std::size_t Size>
bool starts_with(BytesView whole, const std::array<std::uint8_t, Size>& prefix) noexcept {
    return whole.size() >= Size &&
           std::ranges::equal(whole.first(Size), std::as_bytes(std::span(prefix)));
}

}  // namespace

bool belongs_to_seed(BytesView public_key, BytesView seed) {
    std::array<std::uint8_t, crypto_sign_ed25519_PUBLICKEYBYTES> computed{};
    SecretBytes secret(crypto_sign_ed25519_SECRETKEYBYTES);
    crypto_sign_ed25519_seed_keypair(computed.data(), octets(secret.span()), octets(seed));
    return std::ranges::equal(public_key, std::as_bytes(std::span(computed)));
}

SecretBytes pkcs8_of_seed(BytesView seed) {
    SecretBytes der(kBytesV1);
    std::ranges::copy(std::as_bytes(std::span(kPrefixV1)), der.span().begin());
    std::ranges::copy(seed, der.span().subspan(kPrefixV1.size()).begin());
    return der;
}

result<SecretBytes> seed_of_pkcs8(BytesView der) {
    if (der.size() == kBytesV1 && starts_with(der, kPrefixV1)) {
        return SecretBytes::copy_of(der.subspan(kPrefixV1.size()));
    }
    if (der.size() == kBytesV2 && starts_with(der, kPrefixV2) &&
        starts_with(der.subspan(kBytesV1), kPublicKeyPrefix)) {
        const BytesView seed = der.subspan(kPrefixV2.size(), kSeedBytes);
        if (!belongs_to_seed(der.subspan(kBytesV1 + kPublicKeyPrefix.size()), seed)) {
            return fail(causes::kKeyInvalid, "its public and private half do not belong together");
        }
        return SecretBytes::copy_of(seed);
    }
    return fail(causes::kKeyInvalid, "not an Ed25519 private key");
}

SecretBytes pem_of_pkcs8(BytesView der) {
    const std::size_t encoded = sodium_base64_encoded_len(der.size(), kVariant);  // with its NUL
    SecretBytes text(encoded);
    sodium_bin2base64(reinterpret_cast<char*>(text.span().data()), encoded, octets(der), der.size(),
                      kVariant);
    SecretBytes pem(kHead.size() + encoded - 1 + kTail.size());
    auto end = std::ranges::copy(as_bytes(kHead), pem.span().begin()).out;
    end = std::ranges::copy(text.view().first(encoded - 1), end).out;
    std::ranges::copy(as_bytes(kTail), end);
    return pem;
}

}  // namespace alknet::crypto
