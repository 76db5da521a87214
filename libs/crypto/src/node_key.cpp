#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/crypto/private_file.hpp>

#include "openssh_key.hpp"
#include "pem.hpp"
#include "pkcs8.hpp"
#include "sodium.hpp"

namespace alknet::crypto {

std::shared_ptr<const NodeKey> NodeKey::generate() {
    start_sodium();
    SecretBytes seed(kSeedBytes);
    randombytes_buf(seed.span().data(), seed.size());
    return *from_seed(seed.view());
}

result<std::shared_ptr<const NodeKey>> NodeKey::from_seed(BytesView seed) {
    if (seed.size() != kSeedBytes) {
        return fail(causes::kKeyInvalid, "a private key has 32 octets");
    }
    std::array<std::byte, NodeId::kSize> public_key{};
    SecretBytes secret(crypto_sign_ed25519_SECRETKEYBYTES);
    crypto_sign_ed25519_seed_keypair(octets(MutableBytes(public_key)), octets(secret.span()),
                                     octets(seed));
    return std::shared_ptr<const NodeKey>(new NodeKey(NodeId(public_key), std::move(secret)));
}

result<std::shared_ptr<const NodeKey>> NodeKey::from_pem(BytesView pem) {
    ALKNET_TRY(const PemBlock block, first_pem_block(pem));
    if (block.label == "ENCRYPTED PRIVATE KEY") {
        return fail(causes::kKeyInvalid,
                    "the private key is encrypted; decrypt it with: openssl pkey");
    }
    const bool openssh = block.label == "OPENSSH PRIVATE KEY";
    if (!openssh && block.label != "PRIVATE KEY") {
        return fail(causes::kKeyInvalid, "the file holds no PKCS#8 or OpenSSH private key");
    }
    ALKNET_TRY(const SecretBytes octets_of_block, decode_pem(block));
    ALKNET_TRY(const SecretBytes seed, openssh ? seed_of_openssh(octets_of_block.view())
                                               : seed_of_pkcs8(octets_of_block.view()));
    return from_seed(seed.view());
}

result<std::shared_ptr<const NodeKey>> NodeKey::load(const std::filesystem::path& file) {
    ALKNET_TRY(const SecretBytes pem, read_private_file(file));
    auto key = from_pem(pem.view());
    if (!key) {
        return unexpected(std::move(key).error().within(file.string()));
    }
    return key;
}

result<void> NodeKey::save(const std::filesystem::path& file) const {
    return create_private_file(file, pem().view());
}

std::array<std::byte, 64> NodeKey::sign(BytesView message) const noexcept {
    std::array<std::byte, 64> signature{};
    crypto_sign_ed25519_detached(octets(MutableBytes(signature)), nullptr, octets(message),
                                 message.size(), octets(secret_.view()));
    return signature;
}

SecretBytes NodeKey::pkcs8() const {
    return pkcs8_of_seed(secret_.view().first(kSeedBytes));
}

SecretBytes NodeKey::pem() const {
    return pem_of_pkcs8(pkcs8().view());
}

bool verify(const NodeId& signer, BytesView message, BytesView signature) noexcept {
    return signature.size() == crypto_sign_ed25519_BYTES &&
           crypto_sign_ed25519_verify_detached(octets(signature), octets(message), message.size(),
                                               octets(signer.bytes())) == 0;
}

}  // namespace alknet::crypto
