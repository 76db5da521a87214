#include <algorithm>
#include <alknet/base/number.hpp>
#include <alknet/http/body_reader.hpp>
#include <utility>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr Refusal kBodyTooLong{.status = 413,
                               .reason = "the body is larger than http.limits.body_bytes_max"};
constexpr Refusal kChunkLine{.status = 400, .reason = "a chunk's line is too long"};
constexpr std::size_t kSizeDigitsMax = 16;

}  // namespace

LineReader::Outcome LineReader::take(BytesView& input, std::uint64_t bytes_max) {
    const std::string_view text = as_text(input);
    const std::size_t found = text.find('\n');
    const bool whole = found != std::string_view::npos;
    const std::size_t count = whole ? found + 1 : text.size();
    if (taken_ + count > bytes_max) {
        return Outcome::too_long;
    }
    taken_ += count;
    input = input.subspan(count);
    if (std::exchange(partial_read_, false)) {
        partial_.clear();
    }
    if (!whole) {
        partial_.append(text);
        return Outcome::partial;
    }
    line_ = text.substr(0, count);
    if (!partial_.empty()) {
        partial_.append(line_);
        line_ = partial_;
        partial_read_ = true;
    }
    if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
        return Outcome::bare_line_feed;
    }
    line_.remove_suffix(2);
    return Outcome::complete;
}

void BodyReader::begin(State state, std::uint64_t left) noexcept {
    state_ = state;
    left_ = left;
    body_bytes_ = 0;
    extension_bytes_ = 0;
    trailer_count_ = 0;
    lines_.restart();
    trailers_.clear();
}

void BodyReader::begin_length(std::uint64_t size) noexcept {
    begin(size > 0 ? State::length : State::ended, size);
}

void BodyReader::begin_chunked() noexcept {
    begin(State::chunk_size, 0);
}

void BodyReader::begin_until_close() noexcept {
    begin(State::close, 0);
}

MessageStep BodyReader::deny(const Refusal& why) noexcept {
    state_ = State::refused;
    refusal_ = why;
    return {.event = MessageEvent::refused, .data = {}};
}

MessageStep BodyReader::next(BytesView& input) {
    for (;;) {
        if (state_ == State::refused) {
            return {.event = MessageEvent::refused, .data = {}};
        }
        if (state_ == State::ended) {
            return {.event = MessageEvent::end, .data = {}};
        }
        if (input.empty()) {
            return {};
        }
        const MessageStep step = advance(input);
        if (step.event != MessageEvent::more) {
            return step;
        }
    }
}

MessageStep BodyReader::advance(BytesView& input) {
    switch (state_) {
        case State::length:
        case State::chunk_data:
            return next_data(input);
        case State::chunk_size:
            return next_chunk_size(input);
        case State::chunk_end:
            return next_chunk_end(input);
        case State::trailers:
            return next_trailer(input);
        case State::close:
            return {.event = MessageEvent::data, .data = std::exchange(input, {})};
        case State::ended:
        case State::refused:
            break;
    }
    return {};
}

MessageStep BodyReader::next_data(BytesView& input) {
    const std::size_t count = left_ < input.size() ? static_cast<std::size_t>(left_) : input.size();
    const MessageStep step{.event = MessageEvent::data, .data = input.first(count)};
    input = input.subspan(count);
    left_ -= count;
    if (left_ == 0) {
        state_ = state_ == State::length ? State::ended : State::chunk_end;
        left_ = state_ == State::chunk_end ? 2 : 0;
    }
    return step;
}

MessageStep BodyReader::take_line(BytesView& input, std::uint64_t bytes_max,
                                  const Refusal& too_long, MessageStep (BodyReader::*then)()) {
    switch (lines_.take(input, bytes_max)) {
        case LineReader::Outcome::complete:
            return (this->*then)();
        case LineReader::Outcome::partial:
            return {};
        case LineReader::Outcome::too_long:
            return deny(too_long);
        case LineReader::Outcome::bare_line_feed:
            break;
    }
    return deny(kBareLineFeed);
}

// RFC 9112 section 7.1.
MessageStep BodyReader::next_chunk_size(BytesView& input) {
    return take_line(input, kSizeDigitsMax + kChunkExtensionBytesMax + 2, kChunkLine,
                     &BodyReader::take_chunk_size);
}

MessageStep BodyReader::take_chunk_size() {
    lines_.restart();
    const std::string_view line = lines_.line();
    const std::size_t digits = std::min(line.find(';'), line.size());
    const std::string_view extension = line.substr(digits);
    const std::string_view number = line.substr(0, digits);
    const auto size = parse_number<std::uint64_t>(number, 16);
    // What overflows is as malformed as what is no number: somebody else would wrap it round.
    if (!size || number.size() > kSizeDigitsMax) {
        return deny({.status = 400, .reason = "a chunk's size is no hexadecimal number"});
    }
    extension_bytes_ += extension.size();
    if (extension.size() > kChunkExtensionBytesMax || extension_bytes_ > kChunkExtensionsBytesMax) {
        return deny(kChunkLine);
    }
    if (!is_field_value(trim(extension))) {
        return deny({.status = 400, .reason = "a chunk's extension has a control character"});
    }
    if (*size > bytes_max_ - body_bytes_) {
        return deny(kBodyTooLong);
    }
    body_bytes_ += *size;
    left_ = *size;
    state_ = left_ == 0 ? State::trailers : State::chunk_data;
    return {};
}

// CR and LF, which may come apart.
MessageStep BodyReader::next_chunk_end(BytesView& input) {
    const char wanted = left_ == 2 ? '\r' : '\n';
    if (as_text(input).front() != wanted) {
        return deny({.status = 400, .reason = "a chunk is longer than its size says"});
    }
    input = input.subspan(1);
    if (--left_ == 0) {
        state_ = State::chunk_size;
    }
    return {};
}

MessageStep BodyReader::next_trailer(BytesView& input) {
    return take_line(input, kTrailerBytesMax, kTrailersTooLong, &BodyReader::take_trailer);
}

MessageStep BodyReader::take_trailer() {
    const std::string_view line = lines_.line();
    if (line.empty()) {
        state_ = State::ended;
        return {.event = MessageEvent::end, .data = {}};
    }
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_token(name)) {
        return deny({.status = 400, .reason = "a trailer field has no name that is a token"});
    }
    const std::string_view value = trim(line.substr(colon + 1));
    if (!is_field_value(value)) {
        return deny({.status = 400, .reason = "a trailer field's value has a control character"});
    }
    if (++trailer_count_ > kTrailersMax) {
        return deny(kTrailersTooLong);
    }
    if (is_trailer(name)) {
        trailers_.add(name, value);
    }
    return {};
}

}  // namespace alknet::http
