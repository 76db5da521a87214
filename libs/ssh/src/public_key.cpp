#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/ssh/public_key.hpp>
#include <array>

#include "messages.hpp"
#include "openssl.hpp"

namespace alknet::ssh {

namespace {

constexpr std::string_view kEd25519 = "ssh-ed25519";
constexpr std::string_view kSkEd25519 = "sk-ssh-ed25519@openssh.com";
constexpr std::string_view kEcdsa = "ecdsa-sha2-nistp256";
constexpr std::string_view kCurve = "nistp256";
constexpr std::string_view kRsa = "ssh-rsa";
constexpr std::string_view kRsaSha256 = "rsa-sha2-256";
constexpr std::string_view kRsaSha512 = "rsa-sha2-512";
constexpr std::size_t kPointBytes = 65;
constexpr std::size_t kExponentBytesMax = 8;
constexpr std::uint8_t kUserPresent = 1;

using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;

std::unexpected<error> invalid(std::string_view why) {
    return fail(causes::kKeyInvalid, std::string(why));
}

Number number(BytesView digits) {
    return Number(BN_bin2bn(octets(digits), static_cast<int>(digits.size()), nullptr));
}

Pkey from_parameters(const char* type, OSSL_PARAM* parameters) {
    const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
        return nullptr;
    }
    return Pkey(key);
}

Pkey ecdsa_key(BytesView point) {
    const ParamBuild build(OSSL_PARAM_BLD_new());
    if (!build ||
        OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) !=
            1 ||
        OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1) {
        return nullptr;
    }
    const Params parameters(OSSL_PARAM_BLD_to_param(build.get()));
    return parameters ? from_parameters("EC", parameters.get()) : nullptr;
}

Pkey rsa_key(BytesView modulus, BytesView exponent) {
    const Number n = number(modulus);
    const Number e = number(exponent);
    const ParamBuild build(OSSL_PARAM_BLD_new());
    if (!n || !e || !build ||
        OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
        return nullptr;
    }
    const Params parameters(OSSL_PARAM_BLD_to_param(build.get()));
    return parameters ? from_parameters("RSA", parameters.get()) : nullptr;
}

bool digest_verify(EVP_PKEY* key, const EVP_MD* digest, BytesView message, BytesView signature) {
    const DigestContext context(EVP_MD_CTX_new());
    return key != nullptr && context &&
           EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
           EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message),
                            message.size()) == 1;
}

// A positive number without the octet of its sign; empty if it is none (RFC 4251 section 5).
BytesView take_positive(WireReader& in) noexcept {
    BytesView digits = take_string(in);
    if (digits.empty() || static_cast<std::uint8_t>(digits.front()) >= 0x80) {
        return {};
    }
    if (digits.front() == std::byte{0}) {
        digits = digits.subspan(1);
        const bool needed = !digits.empty() && static_cast<std::uint8_t>(digits.front()) >= 0x80;
        return needed ? digits : BytesView();
    }
    return digits;
}

bool verify_ecdsa(BytesView point, BytesView message, BytesView inner) {
    WireReader in(inner);
    const BytesView r_digits = take_positive(in);
    const BytesView s_digits = take_positive(in);
    if (!in.complete() || r_digits.empty() || s_digits.empty() || r_digits.size() > 32 ||
        s_digits.size() > 32) {
        return false;
    }
    const Signature signature(ECDSA_SIG_new());
    Number r = number(r_digits);
    Number s = number(s_digits);
    if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) {
        return false;
    }
    (void)r.release();
    (void)s.release();
    std::array<unsigned char, 80> der{};
    unsigned char* end = der.data();
    const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
    if (size <= 0 || static_cast<std::size_t>(size) > der.size() ||
        i2d_ECDSA_SIG(signature.get(), &end) != size) {
        return false;
    }
    return digest_verify(ecdsa_key(point).get(), EVP_sha256(), message,
                         view_octets(der.data(), static_cast<std::size_t>(size)));
}

// What a security key signs: digests, its flags and its counter, not the message itself.
bool verify_security_key(BytesView key, BytesView application, BytesView message, BytesView octets,
                         WireReader& rest) {
    const auto flags = rest.number<std::uint8_t>();
    const auto counter = rest.number<std::uint32_t>();
    const auto id = NodeId::from_bytes(key);
    if (!rest.complete() || (flags & kUserPresent) == 0 || !id) {
        return false;
    }
    WireWriter signed_octets;
    signed_octets.append(crypto::sha256(application));
    signed_octets.number(flags);
    signed_octets.number(counter);
    signed_octets.append(crypto::sha256(message));
    return crypto::verify(*id, signed_octets.view(), octets);
}

}  // namespace

std::string digest_fingerprint(BytesView blob) {
    const auto digest = crypto::sha256(blob);
    std::string text = "SHA256:" + base64_encode(digest);
    while (text.ends_with('=')) {
        text.pop_back();
    }
    return text;
}

result<PublicKey> PublicKey::parse(BytesView blob) {
    if (blob.size() > kKeyBlobBytesMax) {
        return invalid("too large");
    }
    WireReader in(blob);
    const std::string_view type = take_text(in);
    if (type == kEd25519 || type == kSkEd25519) {
        const bool security_key = type == kSkEd25519;
        const BytesView point = take_string(in);
        const BytesView application = security_key ? take_string(in) : BytesView();
        if (!in.complete()) {
            return invalid("malformed");
        }
        ALKNET_TRY(const NodeId id, NodeId::from_bytes(point));
        PublicKey key(security_key ? KeyType::sk_ed25519 : KeyType::ed25519,
                      security_key ? digest_fingerprint(blob) : id.fingerprint());
        key.first_ = to_bytes(point);
        key.second_ = to_bytes(application);
        return key;
    }
    if (type == kEcdsa) {
        const std::string_view curve = take_text(in);
        const BytesView point = take_string(in);
        if (!in.complete() || curve != kCurve || point.size() != kPointBytes ||
            point.front() != std::byte{4} || !ecdsa_key(point)) {
            return invalid("malformed");
        }
        PublicKey key(KeyType::ecdsa_p256, digest_fingerprint(blob));
        key.first_ = to_bytes(point);
        return key;
    }
    if (type == kRsa) {
        const BytesView exponent = take_positive(in);
        const BytesView modulus = take_positive(in);
        const bool sized = modulus.size() * 8 >= kRsaBitsMin && modulus.size() * 8 <= kRsaBitsMax;
        if (!in.complete() || exponent.empty() || exponent.size() > kExponentBytesMax || !sized ||
            !rsa_key(modulus, exponent)) {
            return invalid("malformed, or of a size that is not safe");
        }
        PublicKey key(KeyType::rsa, digest_fingerprint(blob));
        key.first_ = to_bytes(modulus);
        key.second_ = to_bytes(exponent);
        return key;
    }
    return invalid("of a type that is not used here");
}

bool PublicKey::signs_with(std::string_view algorithm) const noexcept {
    switch (type_) {
        case KeyType::ed25519:
            return algorithm == kEd25519;
        case KeyType::sk_ed25519:
            return algorithm == kSkEd25519;
        case KeyType::ecdsa_p256:
            return algorithm == kEcdsa;
        case KeyType::rsa:
            break;
    }
    return algorithm == kRsaSha256 || algorithm == kRsaSha512;
}

bool PublicKey::verify(std::string_view algorithm, BytesView message, BytesView signature) const {
    WireReader in(signature);
    const std::string_view named = take_text(in);
    const BytesView inner = take_string(in);
    if (!in.ok() || named != algorithm || !signs_with(algorithm)) {
        return false;
    }
    if (type_ == KeyType::sk_ed25519) {
        return verify_security_key(first_, second_, message, inner, in);
    }
    if (!in.complete()) {
        return false;
    }
    if (type_ == KeyType::ed25519) {
        const auto id = NodeId::from_bytes(first_);
        return id && crypto::verify(*id, message, inner);
    }
    if (type_ == KeyType::ecdsa_p256) {
        return verify_ecdsa(first_, message, inner);
    }
    const EVP_MD* digest = algorithm == kRsaSha256 ? EVP_sha256() : EVP_sha512();
    return digest_verify(rsa_key(first_, second_).get(), digest, message, inner);
}

}  // namespace alknet::ssh
