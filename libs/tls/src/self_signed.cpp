// The certificate that a new node shows to browsers until it is given a better one.

#include "handles.hpp"

#include <gnutls/crypto.h>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/private_file.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/tls/context.hpp>
#include <array>
#include <ctime>

namespace alknet::tls {

namespace {

constexpr std::time_t kDay = 24 * 60 * 60;
constexpr std::time_t kValidity = 3650 * kDay;
constexpr std::size_t kSerialBytes = 16;
constexpr unsigned kX509Version = 3;

/// Remembers the first failure of a row of calls.
class Steps {
public:
    void operator()(int code) noexcept { first_ = first_ < 0 ? first_ : code; }
    [[nodiscard]] bool failed() const noexcept { return first_ < 0; }
    [[nodiscard]] int code() const noexcept { return first_; }

private:
    int first_ = 0;
};

result<X509Key> make_key() {
    gnutls_x509_privkey_t key = nullptr;
    int code = gnutls_x509_privkey_init(&key);
    X509Key owner(code == 0 ? key : nullptr);
    if (code == 0) {
        code = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                            GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    }
    if (code < 0) {
        return fail(causes::kIo, "generating a P-256 key: " + reason(code));
    }
    return owner;
}

/// The key that an init left which ended before the certificate was written.
result<X509Key> read_key(const std::filesystem::path& file, const crypto::SecretBytes& pem) {
    gnutls_x509_privkey_t key = nullptr;
    int code = gnutls_x509_privkey_init(&key);
    X509Key owner(code == 0 ? key : nullptr);
    if (code == 0) {
        const gnutls_datum_t data = datum_of(pem.view());
        code = gnutls_x509_privkey_import2(key, &data, GNUTLS_X509_FMT_PEM, nullptr,
                                           GNUTLS_PKCS_PLAIN);
    }
    if (code < 0) {
        return fail(causes::kHomeExists, file.string() + ", which is not a key of a certificate");
    }
    return owner;
}

void add_name(gnutls_x509_crt_t certificate, const std::string& name, Steps& steps) {
    const bool v6 = name.find(':') != std::string::npos;
    const auto ip = net::SocketAddress::parse((v6 ? "[" + name + "]" : name) + ":0");
    if (ip) {
        const std::size_t size = ip->family() == net::SocketAddress::Family::v4 ? 4 : 16;
        steps(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS,
                                                   ip->ip().data(), static_cast<unsigned>(size),
                                                   GNUTLS_FSAN_APPEND));
    } else {
        steps(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, name.data(),
                                                   static_cast<unsigned>(name.size()),
                                                   GNUTLS_FSAN_APPEND));
    }
}

void fill(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key,
          const std::vector<std::string>& names, Steps& steps) {
    std::array<unsigned char, kSerialBytes> serial{};
    steps(gnutls_rnd(GNUTLS_RND_NONCE, serial.data(), serial.size()));
    serial.front() = static_cast<unsigned char>(serial.front() & 0x7fU) | 1U;  // positive
    const std::time_t now = std::time(nullptr);
    steps(gnutls_x509_crt_set_version(certificate, kX509Version));
    steps(gnutls_x509_crt_set_serial(certificate, serial.data(), serial.size()));
    steps(gnutls_x509_crt_set_activation_time(certificate, now - kDay));
    steps(gnutls_x509_crt_set_expiration_time(certificate, now + kValidity));
    steps(gnutls_x509_crt_set_key(certificate, key));
    steps(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, "alknet",
                                        sizeof("alknet") - 1));
    steps(gnutls_x509_crt_set_basic_constraints(certificate, 0, -1));
    steps(gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE));
    steps(gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0));
    for (const std::string& name : names) {
        add_name(certificate, name, steps);
    }
    steps(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0));
}

}  // namespace

result<void> make_self_signed(const CertificateFiles& files,
                              const std::vector<std::string>& names) {
    auto old_key = crypto::read_private_file(files.key);
    const bool has_key = old_key || !old_key.error().is(causes::kConfigMissing);
    if (has_key && !old_key) {
        return fail(causes::kHomeExists, files.key.string());
    }
    ALKNET_TRY(const X509Key key, has_key ? read_key(files.key, *old_key) : make_key());
    gnutls_x509_crt_t certificate = nullptr;
    Steps steps;
    steps(gnutls_x509_crt_init(&certificate));
    const X509Certificate owner(steps.failed() ? nullptr : certificate);
    Datum key_pem;
    Datum certificate_pem;
    if (!steps.failed()) {
        fill(certificate, key.get(), names, steps);
        steps(gnutls_x509_privkey_export2_pkcs8(key.get(), GNUTLS_X509_FMT_PEM, nullptr,
                                                GNUTLS_PKCS_PLAIN, key_pem.out()));
        steps(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, certificate_pem.out()));
    }
    if (steps.failed()) {
        return fail(causes::kIo, "making a certificate: " + reason(steps.code()));
    }
    // The key first: a chain without its key would look complete.
    if (!has_key) {
        ALKNET_CHECK(crypto::create_private_file(files.key, key_pem.view()));
    }
    return crypto::create_private_file(files.chain, certificate_pem.view());
}

}  // namespace alknet::tls
