#include <algorithm>
#include <alknet/base/number.hpp>
#include <alknet/http/request_parser.hpp>
#include <utility>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr Refusal kBareLineFeed{.status = 400, .reason = "a line ends in a bare LF"};
constexpr Refusal kTargetTooLong{
    .status = 414, .reason = "the target is longer than http.limits.target_bytes_max"};
constexpr Refusal kHeadTooLong{
    .status = 431, .reason = "the request's head is larger than http.limits.header_bytes_max"};
constexpr Refusal kTooManyFields{.status = 431,
                                 .reason = "there are more fields than http.limits.fields_max"};
constexpr Refusal kBodyTooLong{.status = 413,
                               .reason = "the body is larger than http.limits.body_bytes_max"};
constexpr Refusal kChunkLine{.status = 400, .reason = "a chunk's line is too long"};
constexpr Refusal kTrailersTooLong{.status = 431, .reason = "the trailer is too large"};

/// What a request line has besides its target.
constexpr std::uint64_t kLineRestBytes =
    kMethodBytesMax + std::string_view("  HTTP/1.1\r\n").size();
constexpr std::size_t kSizeDigitsMax = 16;

}  // namespace

bool RequestParser::deny(int status, std::string_view reason) {
    state_ = State::refused;
    refusal_ = {.status = status, .reason = reason};
    return false;
}

bool RequestParser::deny(const Refusal& why) {
    return deny(why.status, why.reason);
}

// In `line_` then, without CR and LF. The octets of all lines of one part are counted together.
RequestParser::Line RequestParser::take_line(BytesView& input, std::uint64_t bytes_max,
                                             const Refusal& too_long) {
    const std::string_view text = as_text(input);
    const std::size_t found = text.find('\n');
    const bool whole = found != std::string_view::npos;
    const std::size_t count = whole ? found + 1 : text.size();
    if (taken_ + count > bytes_max) {
        deny(too_long);
        return Line::refused;
    }
    taken_ += count;
    input = input.subspan(count);
    if (partial_read_) {
        partial_.clear();
        partial_read_ = false;
    }
    if (!whole) {
        partial_.append(text);
        return Line::partial;
    }
    line_ = text.substr(0, count);
    if (!partial_.empty()) {
        partial_.append(line_);
        line_ = partial_;
        partial_read_ = true;
    }
    if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
        deny(kBareLineFeed);
        return Line::refused;
    }
    line_.remove_suffix(2);
    return Line::complete;
}

RequestStep RequestParser::next(BytesView& input) {
    for (;;) {
        if (state_ == State::refused) {
            return {.event = RequestEvent::refused, .data = {}};
        }
        if (state_ == State::head_done) {
            return end();
        }
        if (input.empty()) {
            return {};
        }
        const RequestStep step = advance(input);
        if (step.event != RequestEvent::more) {
            return step;
        }
    }
}

RequestStep RequestParser::advance(BytesView& input) {
    switch (state_) {
        case State::start:
            return next_start(input);
        case State::fields:
            return next_field(input);
        case State::length:
        case State::chunk_data:
            return next_body(input);
        case State::chunk_size:
            return next_chunk_size(input);
        case State::chunk_end:
            return next_chunk_end(input);
        case State::trailers:
            return next_trailer(input);
        case State::head_done:
        case State::refused:
            break;
    }
    return {};
}

RequestStep RequestParser::next_start(BytesView& input) {
    const std::uint64_t most =
        std::min(limits_.header_bytes_max, limits_.target_bytes_max + kLineRestBytes);
    const Line line = take_line(input, most, kTargetTooLong);
    if (line != Line::complete) {
        return {.event = line == Line::partial ? RequestEvent::more : RequestEvent::refused,
                .data = {}};
    }
    // RFC 9112 section 2.2: one that an old client appends to a body.
    if (line_.empty() && !blank_line_) {
        blank_line_ = true;
        taken_ = 0;
        return {};
    }
    head_ = {};
    trailers_.clear();
    target_authority_.clear();
    hosts_ = 0;
    has_coding_ = wants_keep_alive_ = false;
    if (!take_start(line_)) {
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
    const Line line = take_line(input, limits_.header_bytes_max, kHeadTooLong);
    if (line != Line::complete) {
        return {.event = line == Line::partial ? RequestEvent::more : RequestEvent::refused,
                .data = {}};
    }
    const bool good = line_.empty() ? finish_head() : take_field(line_);
    if (!good) {
        return {.event = RequestEvent::refused, .data = {}};
    }
    return {.event = line_.empty() ? RequestEvent::head : RequestEvent::more, .data = {}};
}

bool RequestParser::take_field(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t') {
        return deny(400, "a field is folded over several lines");
    }
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_token(name)) {
        return deny(400, "a field has no name that is a token");
    }
    const std::string_view value = trim(line.substr(colon + 1));
    if (!is_field_value(value)) {
        return deny(400, "a field's value has a control character");
    }
    if (head_.fields.size() == limits_.fields_max) {
        return deny(kTooManyFields);
    }
    if (passes_for_framing(name)) {
        return deny(400, "a field's name passes for another one");
    }
    head_.fields.add(name, value);
    return take_known_field(head_.fields[head_.fields.size() - 1].name, value);
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
    taken_ = 0;
    body_bytes_ = 0;
    extension_bytes_ = 0;
    left_ = head_.content_length.value_or(0);
    state_ = head_.chunked ? State::chunk_size : left_ > 0 ? State::length : State::head_done;
    return true;
}

RequestStep RequestParser::next_body(BytesView& input) {
    const std::size_t count = left_ < input.size() ? static_cast<std::size_t>(left_) : input.size();
    const RequestStep step{.event = RequestEvent::data, .data = input.first(count)};
    input = input.subspan(count);
    left_ -= count;
    if (left_ == 0) {
        state_ = state_ == State::length ? State::head_done : State::chunk_end;
        left_ = state_ == State::chunk_end ? 2 : 0;
    }
    return step;
}

// RFC 9112 section 7.1.
RequestStep RequestParser::next_chunk_size(BytesView& input) {
    const Line line = take_line(input, kSizeDigitsMax + kChunkExtensionBytesMax + 2, kChunkLine);
    if (line != Line::complete) {
        return {.event = line == Line::partial ? RequestEvent::more : RequestEvent::refused,
                .data = {}};
    }
    taken_ = 0;
    if (!take_chunk_size(line_)) {
        return {.event = RequestEvent::refused, .data = {}};
    }
    state_ = left_ == 0 ? State::trailers : State::chunk_data;
    return {};
}

bool RequestParser::take_chunk_size(std::string_view line) {
    const std::size_t digits = std::min(line.find(';'), line.size());
    const std::string_view extension = line.substr(digits);
    const std::string_view number = line.substr(0, digits);
    const auto size = parse_number<std::uint64_t>(number, 16);
    // What overflows is as malformed as what is no number: somebody else would wrap it round.
    if (!size || number.size() > kSizeDigitsMax) {
        return deny(400, "a chunk's size is no hexadecimal number");
    }
    extension_bytes_ += extension.size();
    if (extension.size() > kChunkExtensionBytesMax || extension_bytes_ > kChunkExtensionsBytesMax) {
        return deny(kChunkLine);
    }
    if (!is_field_value(trim(extension))) {
        return deny(400, "a chunk's extension has a control character");
    }
    if (*size > limits_.body_bytes_max - body_bytes_) {
        return deny(kBodyTooLong);
    }
    body_bytes_ += *size;
    left_ = *size;
    return true;
}

// CR and LF, which may come apart.
RequestStep RequestParser::next_chunk_end(BytesView& input) {
    const char wanted = left_ == 2 ? '\r' : '\n';
    if (as_text(input).front() != wanted) {
        deny(400, "a chunk is longer than its size says");
        return {.event = RequestEvent::refused, .data = {}};
    }
    input = input.subspan(1);
    if (--left_ == 0) {
        state_ = State::chunk_size;
    }
    return {};
}

RequestStep RequestParser::next_trailer(BytesView& input) {
    const Line line = take_line(input, kTrailerBytesMax, kTrailersTooLong);
    if (line != Line::complete) {
        return {.event = line == Line::partial ? RequestEvent::more : RequestEvent::refused,
                .data = {}};
    }
    if (line_.empty()) {
        return end();
    }
    return {.event = take_trailer(line_) ? RequestEvent::more : RequestEvent::refused, .data = {}};
}

bool RequestParser::take_trailer(std::string_view line) {
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_token(name)) {
        return deny(400, "a trailer field has no name that is a token");
    }
    const std::string_view value = trim(line.substr(colon + 1));
    if (!is_field_value(value)) {
        return deny(400, "a trailer field's value has a control character");
    }
    if (++trailer_count_ > kTrailersMax) {
        return deny(kTrailersTooLong);
    }
    if (is_trailer(name)) {
        trailers_.add(name, value);
    }
    return true;
}

RequestStep RequestParser::end() {
    state_ = State::start;
    taken_ = 0;
    trailer_count_ = 0;
    blank_line_ = false;
    return {.event = RequestEvent::end, .data = {}};
}

}  // namespace alknet::http
