// Lends the node's Ed25519 key to GnuTLS: the public half as a raw key, the private half as a
// function that signs. It stays in its locked memory, and libsodium signs faster than GnuTLS.

#include "context_impl.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>

namespace alknet::tls {

namespace {

int sign_data(gnutls_privkey_t, gnutls_sign_algorithm_t algorithm, void* user, unsigned,
              const gnutls_datum_t* data, gnutls_datum_t* signature) {
    if (algorithm != GNUTLS_SIGN_EDDSA_ED25519) {
        return GNUTLS_E_INVALID_REQUEST;
    }
    const auto& key = *static_cast<const NodeKey*>(user);
    try {
        const auto signed_data = key.sign(view_octets(data->data, data->size));
        signature->data = static_cast<unsigned char*>(gnutls_malloc(signed_data.size()));
        if (signature->data == nullptr) {
            return GNUTLS_E_MEMORY_ERROR;
        }
        std::ranges::copy(std::as_bytes(std::span(signed_data)),
                          reinterpret_cast<std::byte*>(signature->data));
        signature->size = static_cast<unsigned>(signed_data.size());
        return 0;
    } catch (...) {
        return GNUTLS_E_PK_SIGN_FAILED;
    }
}

int describe(gnutls_privkey_t, unsigned flags, void*) {
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0) {
        return GNUTLS_PK_EDDSA_ED25519;
    }
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0) {
        return 256;
    }
    if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) != 0) {
        return GNUTLS_FLAGS_TO_SIGN_ALGO(flags) == GNUTLS_SIGN_EDDSA_ED25519 ? 1 : 0;
    }
    if ((flags & GNUTLS_PRIVKEY_INFO_SIGN_ALGO) != 0) {
        return GNUTLS_SIGN_EDDSA_ED25519;
    }
    return -1;
}

}  // namespace

result<void> add_node_key(gnutls_certificate_credentials_t credentials, const NodeKey& key) {
    gnutls_privkey_t native = nullptr;
    int code = gnutls_privkey_init(&native);
    PrivateKey owner(code == 0 ? native : nullptr);
    if (code == 0) {
        code = gnutls_privkey_import_ext4(native, const_cast<NodeKey*>(&key), sign_data, nullptr,
                                          nullptr, nullptr, describe, 0);
    }
    gnutls_pcert_st public_key{};
    if (code == 0) {
        const auto spki = key.id().spki();
        const gnutls_datum_t der = datum_of(spki);
        code = gnutls_pcert_import_rawpk_raw(&public_key, &der, GNUTLS_X509_FMT_DER,
                                             GNUTLS_KEY_DIGITAL_SIGNATURE, 0);
    }
    if (code != 0) {
        return fail(causes::kKeyInvalid, reason(code));
    }
    code = gnutls_certificate_set_key(credentials, nullptr, 0, &public_key, 1, native);
    if (code < 0) {
        gnutls_pcert_deinit(&public_key);
        return fail(causes::kKeyInvalid, reason(code));
    }
    (void)owner.release();  // both now belong to the credentials
    return {};
}

}  // namespace alknet::tls
