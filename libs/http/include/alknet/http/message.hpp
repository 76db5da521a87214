// The heads of HTTP messages as values, whatever version they travel in (RFC 9110).
#pragma once

#include <alknet/http/fields.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::http {

enum class Version : std::uint8_t { http10, http11, http2, http3 };
/// "HTTP/1.1", "HTTP/2".
[[nodiscard]] std::string_view to_string(Version version) noexcept;

struct RequestHead {
    std::string method;
    /// As it came: percent-encoded, with dot segments. Begins with "/", or is "*" for OPTIONS.
    std::string path;
    std::optional<std::string> query;  // without the "?"
    std::string authority;             // host[:port], in lower case; empty only on HTTP/1.0
    Version version = Version::http11;
    /// Of an extended CONNECT (RFC 8441, RFC 9220), which is routed as GET: "websocket". Else
    /// empty.
    std::string protocol;
    Fields fields;
    std::optional<std::uint64_t> content_length;
    bool chunked = false;
    bool keep_alive = true;         // the client does not ask for the end of the connection
    bool expects_continue = false;  // it waits for 100 before it sends the body

    [[nodiscard]] bool has_body() const noexcept { return chunked || content_length > 0U; }
    /// The authority without its port.
    [[nodiscard]] std::string_view host() const noexcept;
    bool operator==(const RequestHead&) const = default;
};

/// "Not Found"; "Unknown" for numbers that RFC 9110 does not name.
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;
/// Such a response has no content, whatever it says (RFC 9110 section 6.4.1).
[[nodiscard]] bool is_bodyless(int status) noexcept;

}  // namespace alknet::http
