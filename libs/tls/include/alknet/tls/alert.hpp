// TLS alerts (RFC 8446 section 6) as errors for people. On QUIC an alert is the transport error
// 0x100 + alert (RFC 9001 section 4.8).
#pragma once

#include <alknet/base/result.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

namespace alknet::tls {

inline constexpr std::uint8_t kAlertBadCertificate = 42;
inline constexpr std::uint8_t kAlertAccessDenied = 49;
inline constexpr std::uint8_t kAlertDecodeError = 50;
inline constexpr std::uint8_t kAlertInternalError = 80;
inline constexpr std::uint8_t kAlertNoApplicationProtocol = 120;

/// The name in the RFC, "no_application_protocol"; "unknown" for what is not registered.
[[nodiscard]] std::string_view alert_name(std::uint8_t alert) noexcept;

enum class AlertFrom : std::uint8_t { us, peer };

/// kNoCommonAlpn for alert 120, kForbidden for 49, else kTls; the detail says who sent which alert,
/// `code` is its number.
[[nodiscard]] error alert_error(std::uint8_t alert, AlertFrom from);

/// The same for the code of a CONNECTION_CLOSE frame; nullopt if it is no crypto error.
[[nodiscard]] std::optional<error> crypto_error(std::uint64_t quic_code, AlertFrom from);

}  // namespace alknet::tls
