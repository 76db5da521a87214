#include <algorithm>
#include <alknet/base/number.hpp>
#include <alknet/http/request_parser.hpp>
#include <utility>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr Refusal kTargetTooLong{
    .status = 414, .reason = "the target is longer than http.limits.target_bytes_max"};
constexpr Refusal kHeadTooLong{
    .status = 431, .reason = "the request's head is larger than http.limits.header_bytes_max"};
constexpr Refusal kTooManyFields{.status = 431,
                                 .reason = "there are more fields than http.limits.fields_max"};
constexpr Refusal kBodyTooLong{.status = 413,
                               .reason = "the body is larger than http.limits.body_bytes_max"};

/// What a request line has besides its target.
constexpr std::uint64_t kLineRestBytes =
    kMethodBytesMax + std::string_view("  HTTP/1.1\r\n").size();

}  // namespace

bool RequestParser::deny(int status, std::string_view reason) {
    state_ = State::refused;
    refusal_ = {.status = status, .reason = reason};
    return false;
}

bool RequestParser::deny(const Refusal& why) {
    return deny(why.status, why.reason);
}

bool RequestParser::take_line(BytesView& input, std::uint64_t bytes_max, const Refusal& too_long,
                              RequestStep& step) {
    switch (lines_.take(input, bytes_max)) {
        case LineReader::Outcome::complete:
            return true;
        case LineReader::Outcome::partial:
            return false;
        case LineReader::Outcome::too_long:
            deny(too_long);
            break;
        case LineReader::Outcome::bare_line_feed:
            deny(kBareLineFeed);
            break;
    }
    step.event = RequestEvent::refused;
    return false;
}

RequestStep RequestParser::next(BytesView& input) {
    for (;;) {
        if (state_ == State::refused) {
            return {.event = RequestEvent::refused, .data = {}};
        }
        if (state_ == State::body) {
            return next_body(input);
        }
        if (input.empty()) {
            return {};
        }
        const RequestStep step = state_ == State::start ? next_start(input) : next_field(input);
        if (step.event != RequestEvent::more) {
            return step;
        }
    }
}

RequestStep RequestParser::next_start(BytesView& input) {
    const std::uint64_t most =
        std::min(limits_.header_bytes_max, limits_.target_bytes_max + kLineRestBytes);
    RequestStep step;
    if (!take_line(input, most, kTargetTooLong, step)) {
        return step;
    }
    const std::string_view line = lines_.line();
    // RFC 9112 section 2.2: one that an old client appends to a body.
    if (line.empty() && !blank_line_) {
        blank_line_ = true;
        lines_.restart();
        return {};
    }
    head_ = {};
    target_authority_.clear();
    hosts_ = 0;
    has_coding_ = wants_keep_alive_ = false;
    if (!take_start(line)) {
        return {.event = RequestEvent::refused, .data = {}};
    }
    state_ = State::fields;
    return {};
}

bool RequestParser::take_start(std::string_view line) {
    const std::size_t first = line.find(' ');
    const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) {
        return deny(400, "the first line is no request line");
    }
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, second - first - 1);
    const std::string_view version = line.substr(second + 1);
    if (!is_token(method) || method.size() > kMethodBytesMax) {
        return deny(400, "the method is no token");
    }
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        const bool other = version.size() == 8 && version.starts_with("HTTP/") &&
                           is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
        return deny(other ? 505 : 400, other ? "this version of HTTP is not spoken here"
                                             : "the request line does not end in a version");
    }
    head_.version = version.back() == '1' ? Version::http11 : Version::http10;
    if (target.size() > limits_.target_bytes_max) {
        return deny(kTargetTooLong);
    }
    head_.method = method;
    return take_target(target);
}

// RFC 9112 section 3.2.
bool RequestParser::take_target(std::string_view target) {
    if (head_.method == "CONNECT") {
        return deny(501, "this is no proxy: CONNECT leads nowhere");
    }
    if (target == "*" && head_.method == "OPTIONS") {
        head_.path = target;
        return true;
    }
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (equal_ignoring_case(target.substr(0, scheme.size()), scheme)) {
            const std::string_view rest = target.substr(scheme.size());
            const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
            target_authority_ = lower_case(rest.substr(0, end));
            if (!is_authority(target_authority_)) {
                return deny(400, "the target names no host");
            }
            target = rest.substr(end);
            head_.path = target.starts_with('/') ? "" : "/";
            break;
        }
    }
    if (target_authority_.empty() && !target.starts_with('/')) {
        return deny(400, "the target is no path");
    }
    const std::size_t mark = target.find('?');
    head_.path += target.substr(0, mark);
    if (mark != std::string_view::npos) {
        head_.query = target.substr(mark + 1);
    }
    if (!is_path(head_.path) || (head_.query && !is_query(*head_.query))) {
        return deny(400, "the target has octets that must be percent-encoded");
    }
    return true;
}

RequestStep RequestParser::next_field(BytesView& input) {
    RequestStep step;
    if (!take_line(input, limits_.header_bytes_max, kHeadTooLong, step)) {
        return step;
    }
    const std::string_view line = lines_.line();
    const bool good = line.empty() ? finish_head() : take_field(line);
    if (!good) {
        return {.event = RequestEvent::refused, .data = {}};
    }
    return {.event = line.empty() ? RequestEvent::head : RequestEvent::more, .data = {}};
}

bool RequestParser::take_field(std::string_view line) {
    std::string_view reason;
    const auto field = split_field(line, reason);
    if (!field) {
        return deny(400, reason);
    }
    if (head_.fields.size() == limits_.fields_max) {
        return deny(kTooManyFields);
    }
    if (passes_for_framing(field->name)) {
        return deny(400, kPassesForAnother);
    }
    head_.fields.add(field->name, field->value);
    return take_known_field(head_.fields[head_.fields.size() - 1].name, field->value);
}

bool RequestParser::take_known_field(std::string_view name, std::string_view value) {
    if (name == "host") {
        return take_host(value);
    }
    if (name == "content-length") {
        return take_length(value);
    }
    if (name == "transfer-encoding") {
        return take_coding(value);
    }
    if (name == "connection") {
        take_connection(value);
    } else if (name == "expect") {
        if (!equal_ignoring_case(value, "100-continue")) {
            return deny(417, "nothing but 100-continue can be expected");
        }
        head_.expects_continue = head_.version == Version::http11;
    }
    return true;
}

bool RequestParser::take_host(std::string_view value) {
    if (++hosts_ > 1) {
        return deny(400, "there is more than one Host");
    }
    if (!is_authority(value)) {
        return deny(400, "Host is no host and port");
    }
    head_.authority = lower_case(value);
    return true;
}

bool RequestParser::take_length(std::string_view value) {
    if (head_.content_length) {
        return deny(400, "there is more than one Content-Length");
    }
    const bool digits = !value.empty() && std::ranges::all_of(value, is_digit);
    const auto length = parse_plain_number<std::uint64_t>(value);
    if (!digits || (!length && value.front() == '0')) {
        return deny(400, "Content-Length is no plain number");
    }
    if (!length || *length > limits_.body_bytes_max) {
        return deny(kBodyTooLong);
    }
    head_.content_length = *length;
    return true;
}

bool RequestParser::take_coding(std::string_view value) {
    if (std::exchange(has_coding_, true)) {
        return deny(400, "there is more than one Transfer-Encoding");
    }
    if (head_.version == Version::http10) {
        return deny(400, "HTTP/1.0 has no Transfer-Encoding");
    }
    if (!equal_ignoring_case(value, "chunked")) {
        return deny(501, "no Transfer-Encoding but chunked is understood");
    }
    head_.chunked = true;
    return true;
}

void RequestParser::take_connection(std::string_view value) {
    ListReader list(value);
    while (const auto option = list.next()) {
        if (equal_ignoring_case(*option, "close")) {
            head_.keep_alive = false;
        }
        wants_keep_alive_ = wants_keep_alive_ || equal_ignoring_case(*option, "keep-alive");
    }
}

bool RequestParser::finish_head() {
    if (head_.chunked && head_.content_length) {
        return deny(400, "there are both a Content-Length and a Transfer-Encoding");
    }
    if (hosts_ == 0 && head_.version == Version::http11) {
        return deny(400, "there is no Host");
    }
    if (!target_authority_.empty()) {
        if (hosts_ == 1 && head_.authority != target_authority_) {
            return deny(400, "Host and the target name different hosts");
        }
        head_.authority = target_authority_;
    }
    if (head_.version == Version::http10) {
        head_.keep_alive = head_.keep_alive && wants_keep_alive_;
    }
    head_.expects_continue = head_.expects_continue && head_.has_body();
    lines_.restart();
    if (head_.chunked) {
        body_.begin_chunked();
    } else {
        body_.begin_length(head_.content_length.value_or(0));
    }
    state_ = State::body;
    return true;
}

RequestStep RequestParser::next_body(BytesView& input) {
    const RequestStep step = body_.next(input);
    if (step.event == RequestEvent::refused) {
        deny(body_.refusal());
    } else if (step.event == RequestEvent::end) {
        state_ = State::start;
        blank_line_ = false;
    }
    return step;
}

}  // namespace alknet::http
