#include "packet_cipher.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <array>

#include "openssl.hpp"

namespace alknet::ssh {

namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kTagBytes = 16;

std::uint32_t read_number(BytesView bytes) noexcept {
    std::uint32_t value = 0;
    for (const std::byte octet : bytes.first(kLengthBytes)) {
        value = value << 8 | static_cast<std::uint8_t>(octet);
    }
    return value;
}

std::array<std::byte, 4> as_octets(std::uint32_t value) noexcept {
    return {static_cast<std::byte>(value >> 24), static_cast<std::byte>(value >> 16),
            static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
}

// Encrypts or decrypts in place.
void update(EVP_CIPHER_CTX* context, MutableBytes bytes) {
    int written = 0;
    ALKNET_ASSERT(EVP_CipherUpdate(context, octets(bytes), &written, octets(BytesView(bytes)),
                                   static_cast<int>(bytes.size())) == 1);
}

CipherContext new_cipher(const EVP_CIPHER* cipher, bool sealing, BytesView key, BytesView iv) {
    CipherContext context(EVP_CIPHER_CTX_new());
    ALKNET_ASSERT(context &&
                  EVP_CipherInit_ex(context.get(), cipher, nullptr, octets(key),
                                    iv.empty() ? nullptr : octets(iv), sealing ? 1 : 0) == 1);
    return context;
}

MacContext new_mac(const char* name) {
    const std::unique_ptr<EVP_MAC, Free<EVP_MAC_free>> mac(EVP_MAC_fetch(nullptr, name, nullptr));
    ALKNET_ASSERT(mac);
    MacContext context(EVP_MAC_CTX_new(mac.get()));
    ALKNET_ASSERT(context);
    return context;
}

class PlainCipher final : public PacketCipher {
public:
    PlainCipher() noexcept : PacketCipher({}) {}
    void seal(std::uint32_t, MutableBytes, MutableBytes) override {}
    std::uint32_t length(std::uint32_t, MutableBytes lead) override { return read_number(lead); }
    bool open(std::uint32_t, MutableBytes, BytesView) override { return true; }
};

class GcmCipher final : public PacketCipher {
public:
    GcmCipher(const CipherInfo& info, bool sealing, const DirectionKeys& keys)
        : PacketCipher({.block_bytes = 16, .tag_bytes = kTagBytes, .length_apart = true}),
          context_(new_cipher(info.key_bytes == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), sealing,
                              keys.key, {})) {
        std::copy_n(keys.iv.begin(), iv_.size(), iv_.begin());
    }

    void seal(std::uint32_t, MutableBytes packet, MutableBytes tag) override {
        begin(packet.first(kLengthBytes));
        update(context_.get(), packet.subspan(kLengthBytes));
        int none = 0;
        ALKNET_ASSERT(EVP_CipherFinal_ex(context_.get(), octets(tag), &none) == 1);
        ALKNET_ASSERT(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG,
                                          static_cast<int>(kTagBytes), tag.data()) == 1);
    }
    std::uint32_t length(std::uint32_t, MutableBytes lead) override { return read_number(lead); }
    bool open(std::uint32_t, MutableBytes packet, BytesView tag) override {
        begin(packet.first(kLengthBytes));
        std::array<std::byte, kTagBytes> expected{};
        std::copy_n(tag.begin(), expected.size(), expected.begin());
        ALKNET_ASSERT(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG,
                                          static_cast<int>(kTagBytes), expected.data()) == 1);
        update(context_.get(), packet.subspan(kLengthBytes));
        int none = 0;
        return EVP_CipherFinal_ex(context_.get(), octets(MutableBytes(expected)), &none) == 1;
    }

private:
    // With the length field as what is authenticated only; the invocation counter goes on.
    void begin(BytesView length_field) {
        ALKNET_ASSERT(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr,
                                        octets(BytesView(iv_)), -1) == 1);
        int none = 0;
        ALKNET_ASSERT(EVP_CipherUpdate(context_.get(), nullptr, &none, octets(length_field),
                                       static_cast<int>(length_field.size())) == 1);
        for (std::size_t i = iv_.size(); i > 4; --i) {
            iv_[i - 1] = static_cast<std::byte>(static_cast<std::uint8_t>(iv_[i - 1]) + 1);
            if (iv_[i - 1] != std::byte{0}) {
                break;
            }
        }
    }

    CipherContext context_;
    std::array<std::byte, 12> iv_{};
};

// The first half of the key is the payload's, the other one the length's. Block 0 of the payload's
// stream is the key of Poly1305, and the payload follows from block 1 on.
class ChaCha20Cipher final : public PacketCipher {
public:
    explicit ChaCha20Cipher(const DirectionKeys& keys)
        : PacketCipher({.block_bytes = 8, .tag_bytes = kTagBytes, .length_apart = true}),
          payload_(new_cipher(EVP_chacha20(), true, keys.key.first(32), kFirstIv)),
          length_(new_cipher(EVP_chacha20(), true, keys.key.subspan(32, 32), kFirstIv)),
          poly1305_(new_mac("POLY1305")) {}

    void seal(std::uint32_t sequence, MutableBytes packet, MutableBytes tag) override {
        begin_length(sequence);
        update(length_.get(), packet.first(kLengthBytes));
        begin_payload(sequence);
        update(payload_.get(), packet.subspan(kLengthBytes));
        authenticate(packet, tag);
    }
    std::uint32_t length(std::uint32_t sequence, MutableBytes lead) override {
        std::array<std::byte, kLengthBytes> clear{};
        std::copy_n(lead.begin(), clear.size(), clear.begin());
        begin_length(sequence);
        update(length_.get(), clear);
        return read_number(clear);
    }
    bool open(std::uint32_t sequence, MutableBytes packet, BytesView tag) override {
        begin_payload(sequence);
        std::array<std::byte, kTagBytes> expected{};
        authenticate(packet, expected);
        if (!crypto::equal_constant_time(expected, tag)) {
            return false;
        }
        update(payload_.get(), packet.subspan(kLengthBytes));
        return true;
    }

private:
    static constexpr std::array<std::byte, 16> kFirstIv{};

    static void set_sequence(EVP_CIPHER_CTX* context, std::uint32_t sequence) {
        std::array<std::byte, 16> iv{};
        std::ranges::copy(as_octets(sequence), iv.end() - 4);
        ALKNET_ASSERT(
            EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, octets(BytesView(iv)), -1) == 1);
    }
    void begin_length(std::uint32_t sequence) { set_sequence(length_.get(), sequence); }
    void begin_payload(std::uint32_t sequence) {
        set_sequence(payload_.get(), sequence);
        std::array<std::byte, 64> block{};
        update(payload_.get(), block);
        ALKNET_ASSERT(EVP_MAC_init(poly1305_.get(), octets(BytesView(block)), 32, nullptr) == 1);
        crypto::wipe(block);
    }
    void authenticate(BytesView packet, MutableBytes tag) {
        std::size_t size = 0;
        ALKNET_ASSERT(EVP_MAC_update(poly1305_.get(), octets(packet), packet.size()) == 1 &&
                      EVP_MAC_final(poly1305_.get(), octets(tag), &size, tag.size()) == 1);
    }

    CipherContext payload_;
    CipherContext length_;
    MacContext poly1305_;
};

// AES-CTR with HMAC: over what is sent (encrypt-then-MAC, the length in the clear), or over what is
// meant.
class CtrCipher final : public PacketCipher {
public:
    CtrCipher(const CipherInfo& info, const MacInfo& mac, bool sealing, const DirectionKeys& keys)
        : PacketCipher({.block_bytes = 16,
                        .tag_bytes = mac.sha512 ? kMacKeyBytes512 : kMacKeyBytes256,
                        .length_apart = mac.etm,
                        .lead_bytes = mac.etm ? kLengthBytes : 16}),
          etm_(mac.etm),
          cipher_(new_cipher(info.key_bytes == 16 ? EVP_aes_128_ctr() : EVP_aes_256_ctr(), sealing,
                             keys.key, keys.iv)),
          mac_(new_mac("HMAC")) {
        std::array<char, 7> digest = {'S', 'H', 'A', '2', '5', '6', 0};
        std::array<char, 7> digest_512 = {'S', 'H', 'A', '5', '1', '2', 0};
        const std::array<OSSL_PARAM, 2> parameters = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                             mac.sha512 ? digest_512.data() : digest.data(), 0),
            OSSL_PARAM_construct_end()};
        ALKNET_ASSERT(EVP_MAC_init(mac_.get(), octets(keys.mac_key), keys.mac_key.size(),
                                   parameters.data()) == 1);
    }

    void seal(std::uint32_t sequence, MutableBytes packet, MutableBytes tag) override {
        if (etm_) {
            update(cipher_.get(), packet.subspan(kLengthBytes));
            authenticate(sequence, packet, tag);
        } else {
            authenticate(sequence, packet, tag);
            update(cipher_.get(), packet);
        }
    }
    std::uint32_t length(std::uint32_t, MutableBytes lead) override {
        if (!etm_) {
            update(cipher_.get(), lead);
        }
        return read_number(lead);
    }
    bool open(std::uint32_t sequence, MutableBytes packet, BytesView tag) override {
        std::array<std::byte, kMacKeyBytes512> room{};
        const MutableBytes expected = MutableBytes(room).first(shape().tag_bytes);
        if (!etm_) {
            update(cipher_.get(), packet.subspan(shape().lead_bytes));
        }
        authenticate(sequence, packet, expected);
        if (!crypto::equal_constant_time(expected, tag)) {
            return false;
        }
        if (etm_) {
            update(cipher_.get(), packet.subspan(kLengthBytes));
        }
        return true;
    }

private:
    void authenticate(std::uint32_t sequence, BytesView packet, MutableBytes tag) {
        const auto number = as_octets(sequence);
        std::size_t size = 0;
        ALKNET_ASSERT(EVP_MAC_init(mac_.get(), nullptr, 0, nullptr) == 1 &&
                      EVP_MAC_update(mac_.get(), octets(BytesView(number)), number.size()) == 1 &&
                      EVP_MAC_update(mac_.get(), octets(packet), packet.size()) == 1 &&
                      EVP_MAC_final(mac_.get(), octets(tag), &size, tag.size()) == 1);
    }

    const bool etm_;
    CipherContext cipher_;
    MacContext mac_;
};

}  // namespace

std::unique_ptr<PacketCipher> make_plain_cipher() {
    return std::make_unique<PlainCipher>();
}

std::unique_ptr<PacketCipher> make_cipher(const Direction& direction, bool sealing,
                                          const DirectionKeys& keys) {
    switch (direction.cipher->kind) {
        case CipherKind::gcm:
            return std::make_unique<GcmCipher>(*direction.cipher, sealing, keys);
        case CipherKind::chacha20:
            return std::make_unique<ChaCha20Cipher>(keys);
        case CipherKind::ctr:
            break;
    }
    return std::make_unique<CtrCipher>(*direction.cipher, *direction.mac, sealing, keys);
}

}  // namespace alknet::ssh
