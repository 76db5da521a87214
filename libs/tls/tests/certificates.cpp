#include "certificates.hpp"

#include <gtest/gtest.h>

namespace alknet::tls {

namespace {

X509Key make_key(KeyKind kind) {
    gnutls_x509_privkey_t key = nullptr;
    gnutls_x509_privkey_init(&key);
    const auto algorithm = kind == KeyKind::p256  ? GNUTLS_PK_ECDSA
                           : kind == KeyKind::rsa ? GNUTLS_PK_RSA
                                                  : GNUTLS_PK_EDDSA_ED25519;
    const unsigned bits = kind == KeyKind::p256 ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
                                                : (kind == KeyKind::rsa ? 2048 : 256);
    EXPECT_EQ(gnutls_x509_privkey_generate(key, algorithm, bits, 0), 0);
    return X509Key(key);
}

X509Certificate make_certificate(gnutls_x509_privkey_t key, const std::string& subject,
                                 std::time_t from, std::time_t until) {
    static unsigned char serial = 0;
    ++serial;
    gnutls_x509_crt_t certificate = nullptr;
    gnutls_x509_crt_init(&certificate);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, &serial, 1);
    gnutls_x509_crt_set_activation_time(certificate, from);
    gnutls_x509_crt_set_expiration_time(certificate, until);
    gnutls_x509_crt_set_key(certificate, key);
    gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, subject.data(),
                                  static_cast<unsigned>(subject.size()));
    return X509Certificate(certificate);
}

std::string text_of(gnutls_x509_crt_t certificate) {
    Datum pem;
    EXPECT_EQ(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, pem.out()), 0);
    return std::string(as_text(pem.view()));
}

}  // namespace

Authority::Authority(const std::string& name) : key_(make_key(KeyKind::p256)) {
    const std::time_t now = std::time(nullptr);
    certificate_ = make_certificate(key_.get(), name, now - 86400, now + 86400);
    gnutls_x509_crt_set_basic_constraints(certificate_.get(), 1, -1);
    gnutls_x509_crt_set_key_usage(certificate_.get(), GNUTLS_KEY_KEY_CERT_SIGN);
    EXPECT_EQ(gnutls_x509_crt_sign2(certificate_.get(), certificate_.get(), key_.get(),
                                    GNUTLS_DIG_SHA256, 0),
              0);
}

std::string Authority::pem() const {
    return text_of(certificate_.get());
}

CertificateFiles Authority::issue(const TempDir& dir, const std::string& name,
                                  const LeafOptions& options) const {
    const X509Key key = make_key(options.kind);
    const X509Certificate leaf = make_certificate(key.get(), name, options.from, options.until);
    gnutls_x509_crt_set_key_usage(leaf.get(), GNUTLS_KEY_DIGITAL_SIGNATURE);
    for (const std::string& host : options.names) {
        gnutls_x509_crt_set_subject_alt_name(leaf.get(), GNUTLS_SAN_DNSNAME, host.data(),
                                             static_cast<unsigned>(host.size()),
                                             GNUTLS_FSAN_APPEND);
    }
    EXPECT_EQ(
        gnutls_x509_crt_sign2(leaf.get(), certificate_.get(), key_.get(), GNUTLS_DIG_SHA256, 0), 0);
    Datum key_pem;
    EXPECT_EQ(gnutls_x509_privkey_export2_pkcs8(key.get(), GNUTLS_X509_FMT_PEM, nullptr,
                                                GNUTLS_PKCS_PLAIN, key_pem.out()),
              0);
    return {.chain = dir.write(name + ".pem", text_of(leaf.get()) + pem()),
            .key = dir.write(name + ".key", as_text(key_pem.view()))};
}

}  // namespace alknet::tls
