// The octets of HTTP/1.1 responses (RFC 9112). Sans-I/O.
#pragma once

#include <alknet/http/fields.hpp>
#include <alknet/http/message.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::http {

/// How the end of a response's content is told.
enum class Framing : std::uint8_t {
    none,     // there is no content
    length,   // by Content-Length
    chunked,  // by the last chunk
    close,    // by the end of the connection
};

/// What a response is framed for.
struct ResponsePlan {
    Version version = Version::http11;              // of the request
    bool head_only = false;                         // it was HEAD
    bool keep_alive = true;                         // the request and the connection allow it
    std::optional<std::uint64_t> content_length{};  // nullopt: known at its end only
};

struct FramedHead {
    std::string octets;
    Framing framing = Framing::none;
    bool keep_alive = true;  // as the head says; `Framing::close` never does
};

/// The head of a final response. Fields that frame (Content-Length, Transfer-Encoding, Connection)
/// are ours to write: those of `fields` are left out, and so is whatever is no token or no field
/// value, so that nothing from outside can end a line. HEAD and 304 say the length that GET has.
[[nodiscard]] FramedHead frame_head(int status, const Fields& fields, const ResponsePlan& plan);

/// 100 Continue.
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
/// Stands before a chunk of `size` octets, which is not 0; kChunkEnd follows it.
[[nodiscard]] std::string chunk_begin(std::uint64_t size);
inline constexpr std::string_view kChunkEnd = "\r\n";
/// Ends chunked content. Of `trailers`, what must not follow a content is left out.
[[nodiscard]] std::string last_chunk(const Fields& trailers);

}  // namespace alknet::http
