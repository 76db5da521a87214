#include "head_builder.hpp"

#include <algorithm>
#include <alknet/base/number.hpp>
#include <array>
#include <utility>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

/// What a field counts for besides its own octets (RFC 9113 section 6.5.2, RFC 9114 4.2.2).
constexpr std::uint64_t kFieldOverhead = 32;

constexpr std::array<std::string_view, 6> kOnlyHttp11 = {"connection",        "content-length",
                                                         "keep-alive",        "upgrade",
                                                         "transfer-encoding", "proxy-connection"};

}  // namespace

void HeadBuilder::deny(int status, std::string_view reason) {
    if (refusal_.status == 0) {
        refusal_ = {.status = status, .reason = reason};
    }
}

void HeadBuilder::take(std::string_view name, std::string_view value) {
    bytes_ += name.size() + value.size() + kFieldOverhead;
    if (bytes_ > limits_.header_bytes_max) {
        return deny(431, "the request's head is larger than http.limits.header_bytes_max");
    }
    if (name.starts_with(':')) {
        return take_pseudo(name, value);
    }
    if (head_.fields.size() == limits_.fields_max) {
        return deny(431, "there are more fields than http.limits.fields_max");
    }
    if (!is_token(name) || !is_field_value(value) || passes_for_framing(name)) {
        return deny(400, "a field has no name that is a token, or a control character");
    }
    if (name == "content-length") {
        take_length(value);
    }
    if (name == "host" && head_.authority.empty() && is_authority(value)) {
        head_.authority = lower_case(value);
    } else if (name == "host" && lower_case(value) != head_.authority) {
        deny(400, "host and :authority name different hosts");
    }
    if (name == "expect") {
        head_.expects_continue = equal_ignoring_case(value, "100-continue");
    }
    head_.fields.add(name, value);
}

void HeadBuilder::take_length(std::string_view value) {
    head_.content_length = parse_plain_number<std::uint64_t>(value);
    if (!head_.content_length || *head_.content_length > limits_.body_bytes_max) {
        deny(413, "the body is larger than http.limits.body_bytes_max");
    }
}

void HeadBuilder::take_pseudo(std::string_view name, std::string_view value) {
    if (name == ":method") {
        head_.method = value;
    } else if (name == ":protocol") {
        head_.protocol = value;
    } else if (name == ":path") {
        take_path(value);
    } else if (name == ":authority") {
        head_.authority = lower_case(value);
        if (!is_authority(value)) {
            deny(400, ":authority is no host and port");
        }
    }
}

void HeadBuilder::take_path(std::string_view value) {
    if (value.size() > limits_.target_bytes_max) {
        return deny(414, "the target is longer than http.limits.target_bytes_max");
    }
    const std::size_t mark = value.find('?');
    head_.path = value.substr(0, mark);
    if (mark != std::string_view::npos) {
        head_.query = value.substr(mark + 1);
    }
    if (!is_path(head_.path) || (head_.query && !is_query(*head_.query))) {
        deny(400, "the target has octets that must be percent-encoded");
    }
}

RequestHead HeadBuilder::finish(bool has_body) {
    // A host that came before :authority cannot be: pseudo fields come first.
    if (head_.authority.empty()) {
        deny(400, "there is no :authority");
    }
    if (head_.method == "CONNECT" && head_.protocol != "websocket") {
        deny(501, "CONNECT leads nowhere but to a WebSocket");
    }
    const bool tunnel = !head_.protocol.empty();
    if (tunnel && head_.content_length) {
        deny(400, "a tunnel has no Content-Length");
        head_.content_length.reset();
    }
    head_.chunked = has_body && !head_.content_length && !tunnel;
    head_.expects_continue = head_.expects_continue && has_body;
    return std::move(head_);
}

std::vector<FieldView> framed_fields(const Fields& fields) {
    std::vector<FieldView> framed;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const FieldView field = fields[i];
        if (std::ranges::find(kOnlyHttp11, field.name) == kOnlyHttp11.end() &&
            is_token(field.name) && is_field_value(field.value)) {
            framed.push_back(field);
        }
    }
    return framed;
}

}  // namespace alknet::http
