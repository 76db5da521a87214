// The client's side, over a stream that leads to a server: one request on HTTP/1.1, and WebSockets.
//
//     ClientExchange exchange(stream);
//     ALKNET_CO_TRY(const ResponseHead head, co_await exchange.ask({.target = "/x", .host = "a"}));
//     ALKNET_CO_TRY(const std::string content, co_await read_all(exchange, 1 << 20));
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/http/exchange.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/response_parser.hpp>
#include <alknet/http/websocket.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/time.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace alknet::http {

struct ClientRequest {
    std::string method = "GET";
    std::string target = "/";  // path and query, as they are sent
    std::string host{};        // host[:port]
    /// Besides those that frame, name the host or belong to the connection, which are left out.
    Fields fields{};
    std::string content{};
    std::string upgrade{};  // the protocol to go on with after 101; empty: none
};

struct ClientLimits {
    /// Of an answer's head.
    MessageLimits head{.header_bytes_max = 64 << 10, .fields_max = 200};
    Duration answer_timeout = std::chrono::seconds(60);  // for the final head, after the request
    Duration idle_timeout = std::chrono::seconds(60);    // between two pieces, either way

    bool operator==(const ClientLimits&) const = default;
};

/// One request and the content of its answer, which ends the connection.
class ClientExchange final : public BodySource {
public:
    /// The stream must outlive it.
    explicit ClientExchange(BiStream& stream, const ClientLimits& limits = {});

    /// Once. Errors: kProtocol for a request that cannot be said and for an answer that could be
    /// read in two ways; kTimeout; kClosed; those of the stream.
    task<result<ResponseHead>> ask(ClientRequest request);
    /// Errors likewise; kClosed for a content that breaks off.
    task<result<std::size_t>> read(MutableBytes into) override;
    [[nodiscard]] Fields trailers() const override;
    /// After 101: what the server has said already.
    [[nodiscard]] BytesView rest() const noexcept { return input_; }

private:
    task<result<void>> write(BytesView octets);
    task<result<void>> receive(Duration limit);

    BiStream& stream_;
    const ClientLimits limits_;
    std::optional<ResponseParser> parser_;
    Bytes buffer_;
    BytesView input_;     // of the buffer, not yet parsed
    BytesView content_;   // of the buffer, not yet read
    bool ended_ = false;  // the server has finished
};

struct WebSocketDial {
    std::string target = "/";
    std::string host{};                    // host[:port]
    std::vector<std::string> protocols{};  // the best first
    Fields fields{};                       // of the handshake: Authorization, Origin
    WebSocketLimits limits{};
    ClientLimits handshake{};
    /// `protocol` is the one that the server chose, or empty.
    std::function<task<result<void>>(WebSocket&, std::string protocol)> serve{};
};

/// Until `serve` has returned and both ends have said good-bye. Errors: kAuthRequired and
/// kForbidden as the server answers 401 and 403; kProtocol for any other answer that does not
/// accept what was asked; else as of ClientExchange and WebSocket::run.
task<result<void>> dial_websocket(BiStream& stream, WebSocketDial dial);

}  // namespace alknet::http
