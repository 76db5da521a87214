#include "call_socket.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/http/access.hpp>
#include <alknet/http/websocket.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/race.hpp>
#include <alknet/rt/scope.hpp>
#include <array>
#include <optional>
#include <utility>

namespace alknet::app {

namespace {

constexpr std::size_t kLengthBytes = 4;

/// Between the messages of a socket and the frames of a stream.
class Bridge {
public:
    Bridge(http::WebSocket& socket, ByteStream& frames, std::string token)
        : socket_(socket), frames_(frames), token_(std::move(token)) {}

    task<result<void>> run() {
        const TaskContext context = co_await current_context();
        TaskScope both(*context.loop, context.cancel);
        both.spawn(up(), "call_socket.up");
        both.spawn(down(), "call_socket.down");
        co_return co_await both.join();
    }

private:
    task<result<void>> up();
    task<result<void>> down();
    [[nodiscard]] std::string with_token(std::string text);

    http::WebSocket& socket_;
    ByteStream& frames_;
    std::string token_;  // until the first request has it
};

bool is_unusable_request(std::string_view text) {
    const auto event = call::decode_event(text);
    const auto* const bad = event ? std::get_if<call::Malformed>(&event->event) : nullptr;
    return bad != nullptr && bad->type == "call.requested";
}

// As `auth_token` of the first request, which makes the stream its owner's.
std::string Bridge::with_token(std::string text) {
    if (token_.empty()) {
        return text;
    }
    auto event = call::decode_event(text);
    auto* const request = event ? std::get_if<call::Requested>(&event->event) : nullptr;
    if (request == nullptr) {
        return text;  // the stream says what is wrong with it
    }
    request->auth_token = std::exchange(token_, {});
    return call::encode_event(*event);
}

task<result<void>> Bridge::up() {
    for (;;) {
        ALKNET_CO_TRY(auto message, co_await socket_.receive());
        if (!message) {
            co_return co_await frames_.finish();
        }
        if (message->text) {
            socket_.close(http::websocket_code::kUnsupported, "events are binary messages");
            co_return fail(causes::kProtocol, "a text message");
        }
        if (!token_.empty() && is_unusable_request(message->data)) {
            // Whoever goes on would be somebody else.
            socket_.close(http::websocket_code::kPolicy, "the first request cannot be used");
            co_return fail(causes::kProtocol, "the first request cannot be used");
        }
        const std::string text = with_token(std::move(message->data));
        const auto size = static_cast<std::uint32_t>(text.size());
        std::array<std::byte, kLengthBytes> length{};
        for (std::size_t i = 0; i < kLengthBytes; ++i) {
            length[i] = static_cast<std::byte>(size >> (8 * (kLengthBytes - 1 - i)));
        }
        ALKNET_CO_CHECK(co_await frames_.write(length));
        ALKNET_CO_CHECK(co_await frames_.write(as_bytes(text)));
    }
}

task<result<void>> Bridge::down() {
    call::FrameDecoder decoder(call::kFrameBytesMax);
    Bytes piece(16 << 10);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await frames_.read(piece));
        if (count == 0) {
            break;
        }
        decoder.push(BytesView(piece).first(count));
        for (;;) {
            ALKNET_CO_TRY(const auto text, decoder.next());
            if (!text) {
                break;
            }
            ALKNET_CO_CHECK(co_await socket_.send(*text, false));
        }
    }
    socket_.close(http::websocket_code::kNormal, "");
    co_return result<void>();
}

StreamConnectionOptions connection_options(const http::Request& request) {
    std::array<std::byte, 8> trace{};
    crypto::fill_random(trace);
    StreamConnectionOptions options;
    options.info.alpn = std::string(call::kCallAlpn);
    options.info.transport = request.auth.transport;
    options.info.server_side = true;
    options.info.peer = request.auth.peer;
    options.info.local = request.local;
    options.info.remote = request.auth.remote;
    options.info.trace_id = hex_encode(trace);
    return options;
}

task<result<void>> serve_stream(std::function<task<void>(std::shared_ptr<Connection>)> serve,
                                std::shared_ptr<Connection> connection) {
    co_await serve(std::move(connection));
    co_return result<void>();
}

task<result<void>> serve_call(std::shared_ptr<const CallSocketOptions> options,
                              http::WebSocket& socket, http::Request& request, std::string token) {
    const TaskContext context = co_await current_context();
    auto [ours, theirs] = net::make_memory_streams();
    auto connection = call_connection(*context.loop, std::move(theirs), request);
    Bridge bridge(socket, *ours, std::move(token));
    TaskScope serving(*context.loop, context.cancel);
    serving.spawn(serve_stream(options->serve, std::move(connection)), "call_socket");
    auto ended = co_await bridge.run();
    ours.reset();  // which ends what is served
    (void)co_await serving.join();
    co_return ended;
}

task<result<http::Response>> answer(std::shared_ptr<const CallSocketOptions> options,
                                    http::Request& request) {
    std::optional<std::string> token = http::bearer_of(request.head);
    if (!token) {
        co_return http::refuse_token(request.head);
    }
    // Without using it: that is for the first request.
    if (!token->empty()) {
        const auto identity = options->identities == nullptr
                                  ? std::optional<Identity>()
                                  : (co_await options->identities->preview_token(
                                         *token, std::string(call::kCallAlpn)))
                                        .value_or(std::nullopt);
        if (!identity) {
            co_return http::refuse_token(request.head);
        }
    }
    const bool known = !token->empty() || request.auth.identity.has_value();
    http::WebSocketOptions socket;
    socket.protocols = {std::string(kCallProtocol)};
    socket.protocol_required = true;
    socket.origins = options->origins;
    socket.limits.message_bytes_max = known ? call::kFrameBytesMax : call::kFrameBytesAnonymousMax;
    socket.limits.idle_timeout = known ? Duration() : kStrangerIdleTimeout;
    socket.serve = [options, its = *std::move(token)](
                       http::WebSocket& one, http::Request& its_request, const std::string&) {
        return serve_call(options, one, its_request, its);
    };
    co_return http::accept_websocket(request, std::move(socket));
}

}  // namespace

std::shared_ptr<Connection> call_connection(Loop& loop, std::unique_ptr<ByteStream> stream,
                                            const http::Request& request) {
    return make_stream_connection(loop, std::move(stream), connection_options(request));
}

http::Handler make_call_socket(CallSocketOptions options) {
    return [shared = std::make_shared<const CallSocketOptions>(std::move(options))](
               http::Request& request) { return answer(shared, request); };
}

}  // namespace alknet::app
