// What an X.509 certificate says (RFC 5280), for people to read. Nothing is verified here.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace alknet::tls {

/// Text comes from whoever made the certificate, and may hold anything.
struct CertificateSummary {
    static constexpr std::size_t kNamesMax = 100;  // further ones are left out

    std::string subject;             // RFC 4514
    std::string issuer;              // RFC 4514
    std::vector<std::string> names;  // of hosts, and addresses as text
    std::int64_t not_before = 0;     // seconds since 1970
    std::int64_t not_after = 0;
    bool self_issued = false;  // issuer and subject are the same
};

/// `der` is one certificate. Errors: kCertificateInvalid.
[[nodiscard]] result<CertificateSummary> summarize_certificate(BytesView der);

}  // namespace alknet::tls
