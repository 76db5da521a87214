#include <algorithm>
#include <alknet/http/message.hpp>
#include <array>

namespace alknet::http {

namespace {

struct Reason {
    int status;
    std::string_view phrase;
};

constexpr std::array kReasons = {
    Reason{100, "Continue"},
    Reason{101, "Switching Protocols"},
    Reason{200, "OK"},
    Reason{201, "Created"},
    Reason{202, "Accepted"},
    Reason{204, "No Content"},
    Reason{206, "Partial Content"},
    Reason{301, "Moved Permanently"},
    Reason{302, "Found"},
    Reason{303, "See Other"},
    Reason{304, "Not Modified"},
    Reason{307, "Temporary Redirect"},
    Reason{308, "Permanent Redirect"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{408, "Request Timeout"},
    Reason{409, "Conflict"},
    Reason{411, "Length Required"},
    Reason{412, "Precondition Failed"},
    Reason{413, "Content Too Large"},
    Reason{414, "URI Too Long"},
    Reason{415, "Unsupported Media Type"},
    Reason{416, "Range Not Satisfiable"},
    Reason{417, "Expectation Failed"},
    Reason{421, "Misdirected Request"},
    Reason{422, "Unprocessable Content"},
    Reason{426, "Upgrade Required"},
    Reason{429, "Too Many Requests"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{502, "Bad Gateway"},
    Reason{503, "Service Unavailable"},
    Reason{504, "Gateway Timeout"},
    Reason{505, "HTTP Version Not Supported"},
};

}  // namespace

std::string_view to_string(Version version) noexcept {
    switch (version) {
        case Version::http10:
            return "HTTP/1.0";
        case Version::http11:
            return "HTTP/1.1";
        case Version::http2:
            return "HTTP/2";
        case Version::http3:
            return "HTTP/3";
    }
    return "HTTP";
}

std::string_view RequestHead::host() const noexcept {
    const std::string_view all(authority);
    const std::size_t bracket = all.find(']');
    const std::size_t colon = all.find(':', bracket == std::string_view::npos ? 0 : bracket);
    return all.substr(0, colon);
}

std::string_view reason_phrase(int status) noexcept {
    const auto found = std::ranges::find(kReasons, status, &Reason::status);
    return found == kReasons.end() ? "Unknown" : found->phrase;
}

bool is_bodyless(int status) noexcept {
    return status < 200 || status == 204 || status == 304;
}

}  // namespace alknet::http
