// RequestParser: the requests of one HTTP/1.1 connection (RFC 9112), strictly. What two programs
// could read in two ways is refused rather than mended, because requests are smuggled through
// exactly that: bare CR or LF, folded lines, blanks around a field name, two lengths, lengths that
// are no plain numbers, a length beside a transfer coding, any coding but `chunked`, codings on
// HTTP/1.0, a missing, doubled or contradicted Host.
//
// Sans-I/O. The events do not depend on how the octets are cut into reads.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/message.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace alknet::http {

/// Why a request is not taken. The connection cannot go on after the answer.
struct Refusal {
    int status = 400;
    std::string_view reason;  // a sentence without its full stop, of static lifetime
    bool operator==(const Refusal&) const = default;
};

enum class RequestEvent : std::uint8_t {
    more,     // all of the input was taken, and more is needed
    head,     // `head` is complete
    data,     // the next octets of the body, in the input
    end,      // of the request; `trailers` is complete
    refused,  // `refusal` says why; nothing follows
};

struct RequestStep {
    RequestEvent event = RequestEvent::more;
    BytesView data;  // of the input, for RequestEvent::data
};

class RequestParser {
public:
    explicit RequestParser(const MessageLimits& limits) : limits_(limits) {}

    /// Takes from the front of `input` what it needs for the next event. After `end` it is ready
    /// for the next request.
    [[nodiscard]] RequestStep next(BytesView& input);

    /// After the event `head`; may be moved from.
    [[nodiscard]] RequestHead& head() noexcept { return head_; }
    /// After the event `end`, without those that a trailer must not say (RFC 9110 section 6.5.1).
    [[nodiscard]] const Fields& trailers() const noexcept { return trailers_; }
    [[nodiscard]] const Refusal& refusal() const noexcept { return refusal_; }
    /// Nothing of a request has been seen since the last one ended.
    [[nodiscard]] bool idle() const noexcept { return state_ == State::start && taken_ == 0; }

private:
    enum class State : std::uint8_t {
        start,
        fields,
        head_done,
        length,
        chunk_size,
        chunk_data,
        chunk_end,
        trailers,
        refused,
    };
    enum class Line : std::uint8_t { complete, partial, refused };

    Line take_line(BytesView& input, std::uint64_t bytes_max, const Refusal& too_long);
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
    bool take_chunk_size(std::string_view line);
    bool take_trailer(std::string_view line);
    RequestStep advance(BytesView& input);
    RequestStep next_start(BytesView& input);
    RequestStep next_field(BytesView& input);
    RequestStep next_body(BytesView& input);
    RequestStep next_chunk_size(BytesView& input);
    RequestStep next_chunk_end(BytesView& input);
    RequestStep next_trailer(BytesView& input);
    RequestStep end();

    const MessageLimits limits_;
    State state_ = State::start;
    RequestHead head_;
    Fields trailers_;
    Refusal refusal_;
    std::string partial_;    // a line whose end has not come
    std::string_view line_;  // the last complete one, without its end
    std::string target_authority_;
    std::uint64_t taken_ = 0;  // octets of the part that a limit counts: head, trailers
    std::uint64_t left_ = 0;   // of the body, or of the chunk
    std::uint64_t body_bytes_ = 0;
    std::size_t extension_bytes_ = 0;
    std::size_t trailer_count_ = 0;
    unsigned hosts_ = 0;
    bool partial_read_ = false;  // `line_` may point into `partial_`, which is of no more use
    bool blank_line_ = false;    // before the request line
    bool has_coding_ = false;
    bool wants_keep_alive_ = false;
};

/// host[:port] as a request may name it: a registered name, an IPv4 address or one in brackets,
/// without a user.
[[nodiscard]] bool is_authority(std::string_view text) noexcept;

}  // namespace alknet::http
