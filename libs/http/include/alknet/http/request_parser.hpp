// RequestParser: the requests of one HTTP/1.1 connection (RFC 9112), strictly. What two programs
// could read in two ways is refused rather than mended, because requests are smuggled through
// exactly that: bare CR or LF, folded lines, blanks around a field name, two lengths, lengths that
// are no plain numbers, a length beside a transfer coding, any coding but `chunked`, codings on
// HTTP/1.0, a missing, doubled or contradicted Host.
//
// Sans-I/O. The events do not depend on how the octets are cut into reads.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/http/body_reader.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/message.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace alknet::http {

using RequestEvent = MessageEvent;
using RequestStep = MessageStep;

class RequestParser {
public:
    explicit RequestParser(const MessageLimits& limits)
        : limits_(limits), body_(limits.body_bytes_max) {}

    /// Takes from the front of `input` what it needs for the next event. After `end` it is ready
    /// for the next request.
    [[nodiscard]] RequestStep next(BytesView& input);

    /// After the event `head`; may be moved from.
    [[nodiscard]] RequestHead& head() noexcept { return head_; }
    /// After the event `end`, without those that a trailer must not say (RFC 9110 section 6.5.1).
    [[nodiscard]] const Fields& trailers() const noexcept { return body_.trailers(); }
    [[nodiscard]] const Refusal& refusal() const noexcept { return refusal_; }
    /// Nothing of a request has been seen since the last one ended.
    [[nodiscard]] bool idle() const noexcept {
        return state_ == State::start && lines_.taken() == 0;
    }

private:
    enum class State : std::uint8_t {
        start,
        fields,
        body,
        refused,
    };

    /// Whether there is one; `step` says what becomes of it otherwise.
    bool take_line(BytesView& input, std::uint64_t bytes_max, const Refusal& too_long,
                   RequestStep& step);
    /// Both give false.
    bool deny(int status, std::string_view reason);
    bool deny(const Refusal& why);
    bool take_start(std::string_view line);
    bool take_target(std::string_view target);
    bool take_field(std::string_view line);
    bool take_known_field(std::string_view name, std::string_view value);
    bool take_host(std::string_view value);
    bool take_length(std::string_view value);
    bool take_coding(std::string_view value);
    void take_connection(std::string_view value);
    bool finish_head();
    RequestStep next_start(BytesView& input);
    RequestStep next_field(BytesView& input);
    RequestStep next_body(BytesView& input);

    const MessageLimits limits_;
    State state_ = State::start;
    RequestHead head_;
    LineReader lines_;
    BodyReader body_;
    Refusal refusal_;
    std::string target_authority_;
    unsigned hosts_ = 0;
    bool blank_line_ = false;  // before the request line
    bool has_coding_ = false;
    bool wants_keep_alive_ = false;
};

/// host[:port] as a request may name it: a registered name, an IPv4 address or one in brackets,
/// without a user.
[[nodiscard]] bool is_authority(std::string_view text) noexcept;

}  // namespace alknet::http
