#include <algorithm>
#include <alknet/http/response_writer.hpp>
#include <array>
#include <charconv>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr std::array<std::string_view, 4> kOurs = {"connection", "content-length", "keep-alive",
                                                   "transfer-encoding"};

bool is_ours(std::string_view name) noexcept {
    return std::ranges::find(kOurs, name) != kOurs.end();
}

Framing framing_of(int status, const ResponsePlan& plan) noexcept {
    if (plan.head_only || is_bodyless(status) || plan.content_length == 0U) {
        return Framing::none;
    }
    if (plan.content_length) {
        return Framing::length;
    }
    return plan.version == Version::http10 ? Framing::close : Framing::chunked;
}

}  // namespace

FramedHead frame_head(int status, const Fields& fields, const ResponsePlan& plan) {
    FramedHead head;
    head.framing = framing_of(status, plan);
    head.keep_alive = plan.keep_alive && head.framing != Framing::close;
    std::string& out = head.octets;
    out.reserve(256);
    out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ");
    out.append(reason_phrase(status)).append("\r\n");
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const FieldView field = fields[i];
        if (!is_ours(field.name) && is_token(field.name) && is_field_value(field.value)) {
            out.append(field.name).append(": ").append(field.value).append("\r\n");
        }
    }
    if (status == 101) {
        out.append("connection: upgrade\r\nupgrade: websocket\r\n\r\n");
        return head;
    }
    // RFC 9110 section 8.6: never with 1xx and 204.
    if (plan.content_length && status >= 200 && status != 204) {
        out.append("content-length: ").append(std::to_string(*plan.content_length)).append("\r\n");
    } else if (head.framing == Framing::chunked) {
        out.append("transfer-encoding: chunked\r\n");
    }
    if (!head.keep_alive) {
        out.append("connection: close\r\n");
    } else if (plan.version == Version::http10) {
        out.append("connection: keep-alive\r\n");
    }
    out.append("\r\n");
    return head;
}

std::string last_chunk(const Fields& trailers) {
    std::string out = "0\r\n";
    for (const FieldView& field : sent_trailers(trailers)) {
        out.append(field.name).append(": ").append(field.value).append("\r\n");
    }
    return out.append("\r\n");
}

std::string chunk_begin(std::uint64_t size) {
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
    return std::string(digits.data(), end).append("\r\n");
}

}  // namespace alknet::http
