#include <algorithm>
#include <alknet/base/number.hpp>
#include <alknet/http/response_parser.hpp>
#include <limits>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr std::string_view kHeadTooLarge = "the head is larger than is taken";
constexpr std::size_t kStatusEnd = 12;  // of "HTTP/1.1 200"

}  // namespace

ResponseParser::ResponseParser(const MessageLimits& limits, bool head_only) noexcept
    : limits_(limits), head_only_(head_only), body_(std::numeric_limits<std::uint64_t>::max()) {}

bool ResponseParser::deny(std::string_view reason) noexcept {
    state_ = State::refused;
    refusal_ = {.status = 502, .reason = reason};
    return false;
}

bool ResponseParser::take_line(BytesView& input, MessageStep& step) {
    switch (lines_.take(input, limits_.header_bytes_max)) {
        case LineReader::Outcome::complete:
            return true;
        case LineReader::Outcome::partial:
            return false;
        case LineReader::Outcome::too_long:
            deny(kHeadTooLarge);
            break;
        case LineReader::Outcome::bare_line_feed:
            deny(kBareLineFeed.reason);
            break;
    }
    step.event = MessageEvent::refused;
    return false;
}

MessageStep ResponseParser::next(BytesView& input) {
    for (;;) {
        if (state_ == State::refused) {
            return {.event = MessageEvent::refused, .data = {}};
        }
        if (state_ == State::switched) {
            return {.event = MessageEvent::end, .data = {}};
        }
        if (state_ == State::body) {
            return next_body(input);
        }
        if (input.empty()) {
            return {};
        }
        const MessageStep step = state_ == State::start ? next_start(input) : next_field(input);
        if (step.event != MessageEvent::more) {
            return step;
        }
    }
}

MessageStep ResponseParser::next_start(BytesView& input) {
    MessageStep step;
    if (!take_line(input, step)) {
        return step;
    }
    head_ = {};
    if (!take_status(lines_.line())) {
        return {.event = MessageEvent::refused, .data = {}};
    }
    state_ = State::fields;
    return {};
}

// The blank before a reason that is empty is left out by many.
bool ResponseParser::take_status(std::string_view line) {
    const std::string_view version = line.substr(0, 9);
    if (version != "HTTP/1.1 " && version != "HTTP/1.0 ") {
        return deny("the first line does not begin with a version of HTTP that is spoken here");
    }
    head_.version = version[7] == '1' ? Version::http11 : Version::http10;
    const auto status = parse_plain_number<int>(line.substr(9, 3));
    if (line.size() < kStatusEnd || !status || *status < 100 || *status > 599) {
        return deny("the status is no number of three digits");
    }
    const std::string_view rest = line.substr(kStatusEnd);
    if (!rest.empty() && (rest.front() != ' ' || !is_field_value(trim(rest)))) {
        return deny("the status is followed by what is no reason");
    }
    head_.status = *status;
    return true;
}

MessageStep ResponseParser::next_field(BytesView& input) {
    MessageStep step;
    if (!take_line(input, step)) {
        return step;
    }
    const std::string_view line = lines_.line();
    if (!line.empty()) {
        (void)take_field(line);
    } else if (finish_head()) {
        return {.event = MessageEvent::head, .data = {}};
    }
    return {.event = state_ == State::refused ? MessageEvent::refused : MessageEvent::more,
            .data = {}};
}

bool ResponseParser::take_field(std::string_view line) {
    std::string_view reason;
    const auto field = split_field(line, reason);
    if (!field) {
        return deny(reason);
    }
    if (head_.fields.size() == limits_.fields_max) {
        return deny(kHeadTooLarge);
    }
    if (passes_for_framing(field->name)) {
        return deny(kPassesForAnother);
    }
    head_.fields.add(field->name, field->value);
    if (equal_ignoring_case(field->name, "content-length")) {
        if (head_.content_length) {
            return deny("there is more than one Content-Length");
        }
        head_.content_length = parse_plain_number<std::uint64_t>(field->value);
        return head_.content_length ? true : deny("Content-Length is no plain number");
    }
    if (equal_ignoring_case(field->name, "transfer-encoding")) {
        if (head_.chunked || !equal_ignoring_case(field->value, "chunked")) {
            return deny("no Transfer-Encoding but one chunked is understood");
        }
        head_.chunked = true;
    }
    return true;
}

// RFC 9112 section 6.3.
bool ResponseParser::finish_head() {
    lines_.restart();
    if (head_.chunked && (head_.content_length || head_.version == Version::http10)) {
        return deny("Transfer-Encoding stands where it must not");
    }
    const bool bodyless = is_bodyless(head_.status);
    if (bodyless && head_.status != 304 && (head_.chunked || head_.content_length > 0U)) {
        return deny("there is content where none can be");
    }
    if (head_.interim()) {
        state_ = State::start;
        return ++interim_ > kInterimMax ? deny("there are too many interim answers") : true;
    }
    state_ = head_.status == 101 ? State::switched : State::body;
    if (head_only_ || bodyless) {
        body_.begin_length(0);
    } else if (head_.chunked) {
        body_.begin_chunked();
    } else if (head_.content_length) {
        body_.begin_length(*head_.content_length);
    } else {
        body_.begin_until_close();
        until_close_ = true;
    }
    return true;
}

MessageStep ResponseParser::next_body(BytesView& input) {
    const MessageStep step = body_.next(input);
    if (step.event == MessageEvent::refused) {
        deny(body_.refusal().reason);
    }
    return step;
}

}  // namespace alknet::http
