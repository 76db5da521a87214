// What a client is told that speaks no TLS on the TLS port; if it speaks HTTP, in its own language.
#pragma once

#include <algorithm>
#include <alknet/base/bytes.hpp>
#include <array>
#include <string_view>

namespace alknet::tls {

/// First octet of a TLS record that carries a handshake (RFC 8446 section 5.1).
inline constexpr std::byte kHandshakeRecord{22};

inline constexpr std::size_t kHttpPrefixBytes = 5;

/// `first` is what the peer sent first, up to kHttpPrefixBytes octets.
[[nodiscard]] inline bool looks_like_http(BytesView first) noexcept {
    static constexpr std::array<std::string_view, 10> kStarts = {
        "GET /", "GET h", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "CONNE", "PATCH", "PRI *"};
    return std::ranges::find(kStarts, as_text(first)) != kStarts.end();
}

/// The record of a fatal alert 10, for which no session is needed.
inline constexpr std::string_view kUnexpectedMessageAlert("\x15\x03\x01\0\2\2\x0a", 7);

inline constexpr std::string_view kPlainHttpAnswer =
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 73\r\n"
    "Connection: close\r\n"
    "\r\n"
    "This port speaks TLS: write https:// before the address instead of http.\n";

}  // namespace alknet::tls
