// The state of one HTTP/3 connection (RFC 9114) of the server's side, around nghttp3: octets of
// streams in, events and octets of streams out; no clock, no transport, no task. What a request may
// say is checked as on HTTP/1.1.
//
// Floods: nghttp3 bounds the QPACK table and the streams that wait for it. On top of that a stream,
// and the streams of the connection itself together, may bring only so many octets that are neither
// a request nor content before one that is.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/message.hpp>
#include <alknet/http/request_parser.hpp>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace alknet::http {

/// RFC 9114 section 8.1.
namespace h3_code {
inline constexpr std::uint64_t kDatagramError = 0x33;  // RFC 9297
inline constexpr std::uint64_t kNoError = 0x100;
inline constexpr std::uint64_t kInternalError = 0x102;
inline constexpr std::uint64_t kExcessiveLoad = 0x107;
inline constexpr std::uint64_t kRequestRejected = 0x10b;
inline constexpr std::uint64_t kRequestCancelled = 0x10c;
inline constexpr std::uint64_t kRequestIncomplete = 0x10d;
}  // namespace h3_code

/// Octets that bring nothing, one after the other: of one request's stream on top of its head, and
/// of all other streams together.
inline constexpr std::size_t kIdleOctetsMax = 64 << 10;
/// A larger frame on the control stream is taken for a flood.
inline constexpr std::size_t kControlFrameBytesMax = 4 << 10;
/// What a client may make the decoder of its fields hold, and the streams that may wait for it.
inline constexpr std::size_t kQpackTableBytesMax = 4 << 10;
inline constexpr std::size_t kQpackBlockedMax = 16;

/// Told while `receive`, `send` or `close` runs; only notes what it is told.
class H3Events {
public:
    /// A whole head, or one that is refused (`refusal` is not null). Whether a body follows is not
    /// known yet where there is no content-length.
    virtual void on_request(std::int64_t stream, RequestHead head, const Refusal* refusal) = 0;
    virtual void on_data(std::int64_t stream, BytesView data) = 0;
    /// One field behind the content.
    virtual void on_trailer(std::int64_t stream, std::string_view name, std::string_view value) = 0;
    virtual void on_request_end(std::int64_t stream) = 0;
    /// `waits` will be false again.
    virtual void on_ready(std::int64_t stream) = 0;
    /// Neither direction is of use any more: to be told to the client with this code.
    virtual void on_refuse(std::int64_t stream, std::uint64_t code) = 0;
    /// The octets of a response that may leave now, good until `send` returns; nullopt: none yet.
    /// `end` is set with the last ones.
    virtual std::optional<BytesView> on_send(std::int64_t stream, bool& end) = 0;
    /// What follows the octets that `on_send` has just ended; empty: nothing.
    virtual Fields on_send_end(std::int64_t stream) = 0;
    /// To be written to the stream, and finished after that if it is the `end`.
    virtual void on_output(std::int64_t stream, BytesView octets, bool end) = 0;

protected:
    ~H3Events() = default;
};

using H3Settings = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

struct H3Options {
    /// The server's streams of the connection itself: control, QPACK encoder, QPACK decoder.
    std::array<std::int64_t, 3> own_streams{3, 7, 11};
    /// Requests that the client may have open, as the transport lets it.
    std::uint32_t streams_max = 256;
    bool datagrams = false;  // RFC 9297
    /// Announced besides those that the engine knows.
    H3Settings settings{};
};

class H3Session {
public:
    virtual ~H3Session() = default;

    /// `limits` and `events` must outlive it. Errors: kInternal where nghttp3 has no memory.
    static result<std::unique_ptr<H3Session>> create(const MessageLimits& limits, H3Options options,
                                                     H3Events& events);

    /// What came on a stream of the client, 0, 4, 8... a request's and 2, 6, 10... another; not
    /// after its end or `close`. Errors: kProtocol and kLimit, of the whole connection, for which
    /// `code` then stands; nothing else does anything after that.
    virtual result<void> receive(std::int64_t stream, BytesView octets, bool end) = 0;
    /// The head of this request cannot be read before other streams have brought more. What its
    /// stream brings until then has to be held, so it is not to be read.
    [[nodiscard]] virtual bool waits(std::int64_t stream) const = 0;
    /// All that can leave goes to `on_output`. Errors as in `receive`.
    virtual result<void> send() = 0;

    /// The head of a final response. With content, `on_send` is asked for it.
    virtual void respond(std::int64_t stream, int status, const Fields& fields,
                         std::optional<std::uint64_t> length, bool has_content) = 0;
    virtual void respond_continue(std::int64_t stream) = 0;
    /// `on_send` has something again.
    virtual void resume(std::int64_t stream) = 0;
    /// The stream is no more; `unread`: without having been read to its end. Errors as in
    /// `receive`: there are streams without which there is no connection.
    virtual result<void> close(std::int64_t stream, bool unread, std::uint64_t code) = 0;
    /// No further requests are taken.
    virtual void go_away() = 0;
    /// With which the connection is to be closed after an error.
    [[nodiscard]] virtual std::uint64_t code() const = 0;
    /// The client has said that it takes datagrams.
    [[nodiscard]] virtual bool takes_datagrams() const = 0;
};

}  // namespace alknet::http
