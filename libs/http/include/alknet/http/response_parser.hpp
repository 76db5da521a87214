// ResponseParser: what a server answers to one request on HTTP/1.1 (RFC 9112), as strictly as
// RequestParser reads requests: where a server's answer ends must be no matter of opinion.
//
// Sans-I/O. The events do not depend on how the octets are cut into reads.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/http/body_reader.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/message.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

namespace alknet::http {

/// Answers before the final one, such as 100 and 103.
inline constexpr std::size_t kInterimMax = 8;

struct ResponseHead {
    int status = 0;
    Version version = Version::http11;
    Fields fields;
    std::optional<std::uint64_t> content_length;
    bool chunked = false;

    /// 1xx, of which 101 is the last answer, and the others are not.
    [[nodiscard]] bool interim() const noexcept { return status < 200 && status != 101; }
    bool operator==(const ResponseHead&) const = default;
};

class ResponseParser {
public:
    /// `head_only`: the request was HEAD. The content may be of any length.
    ResponseParser(const MessageLimits& limits, bool head_only) noexcept;

    /// Takes from the front of `input` what it needs for the next event. An interim answer gives
    /// the event `head` alone. After `end`, and after the head of 101, nothing more is taken.
    [[nodiscard]] MessageStep next(BytesView& input);

    /// After the event `head`; may be moved from.
    [[nodiscard]] ResponseHead& head() noexcept { return head_; }
    /// After the event `end`, without those that a trailer must not say.
    [[nodiscard]] const Fields& trailers() const noexcept { return body_.trailers(); }
    /// The connection may end now: the content that has come is all of it.
    [[nodiscard]] bool ends_with_connection() const noexcept { return until_close_; }
    /// Its status is of no use: it is the server that has done wrong.
    [[nodiscard]] const Refusal& refusal() const noexcept { return refusal_; }

private:
    enum class State : std::uint8_t { start, fields, body, switched, refused };

    bool take_line(BytesView& input, MessageStep& step);
    bool deny(std::string_view reason) noexcept;
    bool take_status(std::string_view line);
    bool take_field(std::string_view line);
    bool finish_head();
    MessageStep next_start(BytesView& input);
    MessageStep next_field(BytesView& input);
    MessageStep next_body(BytesView& input);

    const MessageLimits limits_;
    const bool head_only_;
    State state_ = State::start;
    ResponseHead head_;
    LineReader lines_;
    BodyReader body_;
    Refusal refusal_;
    std::size_t interim_ = 0;
    bool until_close_ = false;
};

}  // namespace alknet::http
