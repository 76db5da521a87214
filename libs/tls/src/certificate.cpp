#include "handles.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/tls/certificate.hpp>
#include <array>

namespace alknet::tls {

namespace {

using NameGetter = int (*)(gnutls_x509_crt_t, gnutls_datum_t*);

// Empty where there is none.
std::string name_of(gnutls_x509_crt_t certificate, NameGetter get) {
    Datum name;
    return get(certificate, name.out()) == 0 ? std::string(as_text(name.view())) : std::string();
}

std::string ip_text(BytesView octets) {
    if (octets.size() == 4) {
        std::array<std::uint8_t, 4> ip{};
        std::ranges::copy(octets, std::as_writable_bytes(std::span(ip)).begin());
        return net::SocketAddress::v4(ip, 0).ip_text();
    }
    std::array<std::uint8_t, 16> ip{};
    if (octets.size() != ip.size()) {
        return {};
    }
    std::ranges::copy(octets, std::as_writable_bytes(std::span(ip)).begin());
    return net::SocketAddress::v6(ip, 0).ip_text();
}

std::vector<std::string> alternative_names(gnutls_x509_crt_t certificate) {
    std::vector<std::string> names;
    std::vector<std::byte> text(1024);
    for (unsigned i = 0; names.size() < CertificateSummary::kNamesMax; ++i) {
        std::size_t size = text.size();
        const int kind =
            gnutls_x509_crt_get_subject_alt_name(certificate, i, text.data(), &size, nullptr);
        if (kind < 0 && kind != GNUTLS_E_SHORT_MEMORY_BUFFER) {
            break;  // the end, or a malformed list
        }
        const BytesView value(text.data(), std::min(size, text.size()));
        if (kind == GNUTLS_SAN_DNSNAME) {
            names.emplace_back(as_text(value));
        } else if (kind == GNUTLS_SAN_IPADDRESS) {
            names.push_back(ip_text(value));
        }
    }
    return names;
}

}  // namespace

result<CertificateSummary> summarize_certificate(BytesView der) {
    gnutls_x509_crt_t certificate = nullptr;
    if (const int code = gnutls_x509_crt_init(&certificate); code < 0) {
        return fail(causes::kCertificateInvalid, reason(code));
    }
    const X509Certificate owner(certificate);
    const gnutls_datum_t datum = datum_of(der);
    if (const int code = gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_DER);
        code < 0) {
        return fail(causes::kCertificateInvalid, reason(code));
    }
    return CertificateSummary{
        .subject = name_of(certificate,
                           [](gnutls_x509_crt_t c, gnutls_datum_t* name) {
                               return gnutls_x509_crt_get_dn3(c, name, 0);
                           }),
        .issuer = name_of(certificate,
                          [](gnutls_x509_crt_t c, gnutls_datum_t* name) {
                              return gnutls_x509_crt_get_issuer_dn3(c, name, 0);
                          }),
        .names = alternative_names(certificate),
        .not_before = gnutls_x509_crt_get_activation_time(certificate),
        .not_after = gnutls_x509_crt_get_expiration_time(certificate),
        .self_issued = gnutls_x509_crt_check_issuer(certificate, certificate) != 0};
}

}  // namespace alknet::tls
