#include <alknet/base/causes.hpp>
#include <alknet/tls/alert.hpp>
#include <string>

namespace alknet::tls {

namespace {

constexpr std::uint64_t kCryptoErrors = 0x100;
constexpr std::uint64_t kCryptoErrorsEnd = 0x200;

}  // namespace

std::string_view alert_name(std::uint8_t alert) noexcept {
    switch (alert) {
        case 0:
            return "close_notify";
        case 10:
            return "unexpected_message";
        case 20:
            return "bad_record_mac";
        case 22:
            return "record_overflow";
        case 40:
            return "handshake_failure";
        case kAlertBadCertificate:
            return "bad_certificate";
        case 43:
            return "unsupported_certificate";
        case 44:
            return "certificate_revoked";
        case 45:
            return "certificate_expired";
        case 46:
            return "certificate_unknown";
        case 47:
            return "illegal_parameter";
        case 48:
            return "unknown_ca";
        case kAlertAccessDenied:
            return "access_denied";
        case kAlertDecodeError:
            return "decode_error";
        case 51:
            return "decrypt_error";
        case 70:
            return "protocol_version";
        case 71:
            return "insufficient_security";
        case kAlertInternalError:
            return "internal_error";
        case 86:
            return "inappropriate_fallback";
        case 90:
            return "user_canceled";
        case 100:
            return "no_renegotiation";
        case 109:
            return "missing_extension";
        case 110:
            return "unsupported_extension";
        case 112:
            return "unrecognized_name";
        case 113:
            return "bad_certificate_status_response";
        case 115:
            return "unknown_psk_identity";
        case 116:
            return "certificate_required";
        case kAlertNoApplicationProtocol:
            return "no_application_protocol";
        default:
            return "unknown";
    }
}

error alert_error(std::uint8_t alert, AlertFrom from) {
    const Cause& cause = alert == kAlertNoApplicationProtocol ? causes::kNoCommonAlpn
                         : alert == kAlertAccessDenied        ? causes::kForbidden
                                                              : causes::kTls;
    std::string detail = from == AlertFrom::us ? "this side sent alert " : "the peer sent alert ";
    detail += std::to_string(alert);
    detail += " (";
    detail += alert_name(alert);
    detail += ')';
    return error(cause, std::move(detail), alert);
}

std::optional<error> crypto_error(std::uint64_t quic_code, AlertFrom from) {
    if (quic_code < kCryptoErrors || quic_code >= kCryptoErrorsEnd) {
        return std::nullopt;
    }
    return alert_error(static_cast<std::uint8_t>(quic_code - kCryptoErrors), from);
}

}  // namespace alknet::tls
