// WebSocket (RFC 6455), over HTTP/1.1 by Upgrade, over HTTP/2 and HTTP/3 by extended CONNECT
// (RFC 8441, RFC 9220).
//
//     router.add("GET", "/chat", [](Request& request) {
//         return accept_websocket(request, {.protocols = {"chat"}, .serve = serve_chat});
//     });
//
// Pings are answered, and are sent where nothing has come for a while; the engine reads no further
// than one piece ahead of the handler.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/http/exchange.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/rt/wait.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::http {

inline constexpr std::size_t kProtocolsMax = 16;  // that a client may offer
/// Fragments of one message: so many, and one more for each kFragmentBytes of message_bytes_max.
inline constexpr std::size_t kFragmentsFree = 1024;
inline constexpr std::size_t kFragmentBytes = 64;
/// How long the other end may take to answer the end.
inline constexpr Duration kCloseTimeout = std::chrono::seconds(5);

enum class WebSocketRole : std::uint8_t { server, client };

struct WebSocketLimits {
    std::size_t message_bytes_max = 1 << 20;
    /// Nothing for so long is followed by a ping, and nothing for as long again by the end.
    Duration heartbeat = std::chrono::seconds(30);
    Duration send_timeout = std::chrono::seconds(30);  // for each piece of kPieceBytes
    /// Without a message in either direction, whatever pings say; zero: for ever.
    Duration idle_timeout{};

    bool operator==(const WebSocketLimits&) const = default;
};

struct WebSocketMessage {
    std::string data;
    bool text = false;  // UTF-8; else any octets
    bool operator==(const WebSocketMessage&) const = default;
};

/// RFC 6455 section 7.4.
namespace websocket_code {
inline constexpr std::uint16_t kNormal = 1000;
inline constexpr std::uint16_t kGoingAway = 1001;
inline constexpr std::uint16_t kProtocol = 1002;
inline constexpr std::uint16_t kUnsupported = 1003;
inline constexpr std::uint16_t kNone = 1005;  // that there was no code; never sent
inline constexpr std::uint16_t kInvalidText = 1007;
inline constexpr std::uint16_t kPolicy = 1008;
inline constexpr std::uint16_t kTooLarge = 1009;
inline constexpr std::uint16_t kInternal = 1011;
}  // namespace websocket_code

/// Why a connection has ended: in order, or by a rule that the other end broke.
struct WebSocketEnd {
    std::uint16_t code = websocket_code::kNone;
    std::string reason;
    bool operator==(const WebSocketEnd&) const = default;
};

/// One connection. Belongs to the loop of its stream. At most one task receives at a time; any
/// number may send.
class WebSocket {
public:
    /// The stream must outlive it, and has the handshake behind it.
    WebSocket(Loop& loop, BiStream& stream, WebSocketRole role, const WebSocketLimits& limits);
    WebSocket(const WebSocket&) = delete;
    WebSocket& operator=(const WebSocket&) = delete;
    ~WebSocket();

    using Serve = std::function<task<result<void>>(WebSocket&)>;
    /// Until `serve` returns, which is cancelled when the stream breaks or the other end is silent;
    /// then both ends say good-bye. An error of `serve` is told as kInternal.
    task<result<void>> run(Serve serve);

    // For `serve`.

    /// nullopt: the other end has finished, or broke a rule; `end` says which. Errors: kCancelled.
    task<result<std::optional<WebSocketMessage>>> receive();
    /// Returns when the stream has taken it. Errors: kClosed, kCancelled; kProtocol for text that
    /// is no UTF-8.
    task<result<void>> send(std::string_view data, bool text);
    /// The last thing that is sent. `reason` is cut to 123 octets.
    void close(std::uint16_t code, std::string_view reason);
    [[nodiscard]] const std::optional<WebSocketEnd>& end() const noexcept;

private:
    class State;
    const std::unique_ptr<State> state_;
};

struct WebSocketOptions {
    /// The sub-protocols that are spoken, the best first: one that the client offers is chosen.
    std::vector<std::string> protocols{};
    bool protocol_required = false;
    /// Whether pages of other sites may connect: their origin, as "https://example.org".
    std::vector<std::string> origins{};
    WebSocketLimits limits{};
    /// `protocol` is the one that was chosen, or empty. The request outlives it.
    std::function<task<result<void>>(WebSocket&, Request& request, std::string protocol)> serve{};
};

/// Whether the request is one for a WebSocket, well formed or not.
[[nodiscard]] bool is_websocket_request(const RequestHead& head);
/// What Sec-WebSocket-Protocol offers; nullopt: it is malformed, or has more than kProtocolsMax.
[[nodiscard]] std::optional<std::vector<std::string>> offered_protocols(const RequestHead& head);

/// The answer to such a request, after which `serve` has the connection; 400, 403 or 426 for one
/// that is not accepted. A page of another site than the one that is asked for is refused.
[[nodiscard]] result<Response> accept_websocket(Request& request, WebSocketOptions options);

/// Sec-WebSocket-Accept of a Sec-WebSocket-Key.
[[nodiscard]] std::string websocket_accept(std::string_view key);

}  // namespace alknet::http
