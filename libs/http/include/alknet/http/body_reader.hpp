// What requests and responses of HTTP/1.1 have in common: lines, and content that is framed by a
// length, by chunks or by the end of the connection (RFC 9112 sections 2.2, 6 and 7). Sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/http/fields.hpp>
#include <alknet/http/limits.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace alknet::http {

/// Why a message is not taken. The connection cannot go on after the answer.
struct Refusal {
    int status = 400;
    std::string_view reason;  // a sentence without its full stop, of static lifetime
    bool operator==(const Refusal&) const = default;
};

enum class MessageEvent : std::uint8_t {
    more,     // all of the input was taken, and more is needed
    head,     // the head is complete
    data,     // the next octets of the body, in the input
    end,      // of the message; the trailers are complete
    refused,  // the refusal says why; nothing follows
};

struct MessageStep {
    MessageEvent event = MessageEvent::more;
    BytesView data;  // of the input, for MessageEvent::data
};

/// Lines that end in CR and LF. The octets of all lines since `restart` are counted together.
class LineReader {
public:
    enum class Outcome : std::uint8_t { complete, partial, too_long, bare_line_feed };

    /// Takes from the front of `input` up to the end of the line, if it is there.
    [[nodiscard]] Outcome take(BytesView& input, std::uint64_t bytes_max);
    /// The last complete line without its end; good until the next `take`, and while the input is.
    [[nodiscard]] std::string_view line() const noexcept { return line_; }
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
    void restart() noexcept { taken_ = 0; }

private:
    std::string partial_;  // a line whose end has not come
    std::string_view line_;
    std::uint64_t taken_ = 0;
    bool partial_read_ = false;  // `line_` may point into `partial_`, which is of no more use
};

class BodyReader {
public:
    explicit BodyReader(std::uint64_t bytes_max) noexcept : bytes_max_(bytes_max) {}

    void begin_length(std::uint64_t size) noexcept;
    void begin_chunked() noexcept;
    /// All that comes: whoever sees the end of the connection knows that of the content.
    void begin_until_close() noexcept;

    /// Takes from the front of `input` what it needs for the next event. Never gives `head`.
    [[nodiscard]] MessageStep next(BytesView& input);

    /// After `end`, without those that a trailer must not say (RFC 9110 section 6.5.1).
    [[nodiscard]] const Fields& trailers() const noexcept { return trailers_; }
    [[nodiscard]] const Refusal& refusal() const noexcept { return refusal_; }

private:
    enum class State : std::uint8_t {
        length,
        chunk_size,
        chunk_data,
        chunk_end,
        trailers,
        close,
        ended,
        refused,
    };

    void begin(State state, std::uint64_t left) noexcept;
    MessageStep advance(BytesView& input);
    MessageStep deny(const Refusal& why) noexcept;
    MessageStep next_data(BytesView& input);
    MessageStep next_chunk_size(BytesView& input);
    MessageStep take_chunk_size();
    MessageStep next_chunk_end(BytesView& input);
    MessageStep next_trailer(BytesView& input);
    MessageStep take_trailer();
    MessageStep take_line(BytesView& input, std::uint64_t bytes_max, const Refusal& too_long,
                          MessageStep (BodyReader::*then)());

    std::uint64_t bytes_max_;
    State state_ = State::ended;
    LineReader lines_;
    Fields trailers_;
    Refusal refusal_;
    std::uint64_t left_ = 0;        // of the body, or of the chunk
    std::uint64_t body_bytes_ = 0;  // of all chunks
    std::size_t extension_bytes_ = 0;
    std::size_t trailer_count_ = 0;
};

}  // namespace alknet::http
