// GnuTLS objects as owners that free them.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <alknet/base/bytes.hpp>
#include <memory>
#include <string>
#include <type_traits>

namespace alknet::tls {

template <auto Free>
struct Freer {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

using Credentials = std::unique_ptr<std::remove_pointer_t<gnutls_certificate_credentials_t>,
                                    Freer<gnutls_certificate_free_credentials>>;
using Priority =
    std::unique_ptr<std::remove_pointer_t<gnutls_priority_t>, Freer<gnutls_priority_deinit>>;
using NativeSession =
    std::unique_ptr<std::remove_pointer_t<gnutls_session_t>, Freer<gnutls_deinit>>;
using PrivateKey =
    std::unique_ptr<std::remove_pointer_t<gnutls_privkey_t>, Freer<gnutls_privkey_deinit>>;
using X509Key = std::unique_ptr<std::remove_pointer_t<gnutls_x509_privkey_t>,
                                Freer<gnutls_x509_privkey_deinit>>;
using X509Certificate =
    std::unique_ptr<std::remove_pointer_t<gnutls_x509_crt_t>, Freer<gnutls_x509_crt_deinit>>;

/// Octets that GnuTLS allocated; zeroed when freed, for some of them are secrets.
class Datum {
public:
    Datum() noexcept = default;
    Datum(const Datum&) = delete;
    Datum& operator=(const Datum&) = delete;
    ~Datum() {
        if (datum_.data != nullptr) {
            gnutls_memset(datum_.data, 0, datum_.size);
            gnutls_free(datum_.data);
        }
    }

    [[nodiscard]] gnutls_datum_t* out() noexcept { return &datum_; }
    [[nodiscard]] BytesView view() const noexcept { return view_octets(datum_.data, datum_.size); }

private:
    gnutls_datum_t datum_{};
};

/// GnuTLS takes what it only reads through pointers to non-const.
[[nodiscard]] inline gnutls_datum_t datum_of(BytesView bytes) noexcept {
    return {const_cast<unsigned char*>(octets(bytes)), static_cast<unsigned>(bytes.size())};
}

[[nodiscard]] inline std::string reason(int code) {
    return gnutls_strerror(code);
}

}  // namespace alknet::tls
