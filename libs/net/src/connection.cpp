#include <alknet/base/encoding.hpp>
#include <alknet/net/connection.hpp>

namespace alknet {

std::string_view to_string(Transport transport) noexcept {
    switch (transport) {
        case Transport::quic:
            return "quic";
        case Transport::tcp:
            return "tcp";
        case Transport::iroh:
            return "iroh";
        case Transport::local:
            return "local";
        case Transport::memory:
            return "memory";
    }
    return "unknown";
}

std::uint64_t default_close_code(errc condition) noexcept {
    switch (condition) {
        case errc::closed:
        case errc::reset:  // the peer went; that is no failure of ours
            return close_code::kOk;
        case errc::auth_required:
            return close_code::kAuthRequired;
        case errc::forbidden:
            return close_code::kForbidden;
        case errc::limit:
            return close_code::kLimit;
        case errc::protocol:
            return close_code::kProtocol;
        case errc::cancelled:
            return close_code::kShutdown;
        case errc::timeout:
            return close_code::kTimeout;
        case errc::unavailable:
        case errc::not_found:
        case errc::exists:
        case errc::invalid:
        case errc::io:
        case errc::internal:
            break;
    }
    return close_code::kInternal;
}

std::string PeerIdentity::fingerprint() const {
    switch (kind) {
        case Kind::raw_key:
            return key.fingerprint();
        case Kind::x509:
            return "x509-sha256:" + hex_encode(certificate_sha256);
        case Kind::none:
            break;
    }
    return {};
}

}  // namespace alknet
