// The state of one HTTP/2 connection (RFC 9113), around nghttp2: octets in, events and octets out;
// no clock, no socket, no task. What a request may say is checked as on HTTP/1.1.
//
// Floods: nghttp2 bounds resets (rapid reset), CONTINUATION frames, SETTINGS entries and the
// answers to PING and SETTINGS that a client does not fetch; on top of that only so many frames of
// any kind may wait to be fetched, and a connection may send only so many frames that bring no
// request and no content, and fetch none, between those that do.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/message.hpp>
#include <alknet/http/request_parser.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace alknet::http {

/// Frames that bring and fetch nothing, one after the other.
inline constexpr std::size_t kIdleFramesMax = 1'000;

/// Told while `receive` runs; only notes what it is told, and calls nothing of the session but
/// `refuse_stream`.
class H2Events {
public:
    /// A whole head, or one that is refused (`refusal` is not null).
    virtual void on_request(std::int32_t stream, RequestHead head, const Refusal* refusal) = 0;
    virtual void on_data(std::int32_t stream, BytesView data) = 0;
    /// One field behind the content.
    virtual void on_trailer(std::int32_t stream, std::string_view name, std::string_view value) = 0;
    virtual void on_request_end(std::int32_t stream) = 0;
    /// Nothing more of it arrives or leaves.
    virtual void on_close(std::int32_t stream) = 0;
    /// The octets of a response that may leave now, at most `into`; nullopt: none yet. `end` is set
    /// with the last ones.
    virtual std::optional<std::size_t> on_send(std::int32_t stream, MutableBytes into,
                                               bool& end) = 0;
    /// What follows the octets that `on_send` has just ended; empty: nothing.
    virtual Fields on_send_end(std::int32_t stream) = 0;

protected:
    ~H2Events() = default;
};

class H2Session {
public:
    virtual ~H2Session() = default;

    /// `events` must outlive it. Errors: kInternal where nghttp2 has no memory.
    static result<std::unique_ptr<H2Session>> create(const Limits& limits, H2Events& events);

    /// Errors: kProtocol and kLimit; what `send` gives then says why to the client.
    virtual result<void> receive(BytesView octets) = 0;
    /// What is to be sent next, at most a few frames; good until the next call. Empty: nothing.
    virtual result<BytesView> send() = 0;

    /// The head of a final response. With content, `on_send` is asked for it.
    virtual void respond(std::int32_t stream, int status, const Fields& fields,
                         std::optional<std::uint64_t> length, bool has_content) = 0;
    virtual void respond_continue(std::int32_t stream) = 0;
    /// `on_send` has something again.
    virtual void resume(std::int32_t stream) = 0;
    /// Gives credit for so many octets of `on_data`; of the connection alone once it is closed.
    virtual void consumed(std::int32_t stream, std::size_t octets, bool closed) = 0;
    /// Whether the client has credit of the connection for a piece more.
    [[nodiscard]] virtual bool may_send() const = 0;
    virtual void reset(std::int32_t stream, std::uint32_t code) = 0;
    /// No further requests are taken.
    virtual void go_away(std::uint32_t code) = 0;
    /// Neither end has anything to say any more.
    [[nodiscard]] virtual bool done() const = 0;
};

}  // namespace alknet::http
