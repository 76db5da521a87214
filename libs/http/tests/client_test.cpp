// The client's side: requests and WebSockets, to the engine's own server and to one by hand.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/http/client.hpp>

#include "upstream_world.hpp"

namespace alknet::http {
namespace {

using namespace test;

task<result<Response>> tell(Request& request) {
    ALKNET_CO_TRY(std::string body, co_await read_all(request.body, 1 << 20));
    Response response = text_response(201, request.head.method + " " + request.head.path + "?" +
                                               request.head.query.value_or("") + " " + body);
    response.fields.add("x-a", std::string(request.head.fields.find("x-b").value_or("none")));
    co_return response;
}

ALKNET_CO_TEST(HttpClient, ARequestAndItsAnswer) {
    World world(loop);
    world.route("POST", "/p", tell);
    world.start();
    ClientExchange exchange(*world.client);
    ClientRequest request{
        .method = "POST", .target = "/p?q", .host = "a:1", .content = std::string(40'000, 'x')};
    request.fields.add("x-b", "c");
    request.fields.add("content-length", "1");
    request.fields.add("connection", "x-b");
    const auto head = co_await exchange.ask(std::move(request));
    ALKNET_CO_ASSERT(head);
    EXPECT_EQ(head->status, 201);
    EXPECT_EQ(head->fields.find("x-a"), "c");
    EXPECT_EQ(co_await read_all(exchange, 1 << 20), "POST /p?q " + std::string(40'000, 'x'));
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.outcome);
}

/// A server by hand, which says `answer` and ends.
struct ByHand {
    explicit ByHand(std::string_view answer) {
        auto pair = net::make_memory_streams();
        client = std::move(pair.first);
        server = std::move(pair.second);
        said = answer;
    }
    task<void> say() {
        (void)co_await server->write(as_bytes(said));
        (void)co_await server->finish();
    }
    std::unique_ptr<ByteStream> client;
    std::unique_ptr<ByteStream> server;
    std::string said;
};

/// The content, or the id of what went wrong.
task<std::string> fetched(std::string_view answer, std::string method = "GET") {
    ByHand world(answer);
    co_await world.say();
    ClientExchange exchange(*world.client);
    const auto head = co_await exchange.ask({.method = std::move(method), .host = "a"});
    if (!head) {
        co_return std::string(head.error().cause().id);
    }
    const auto content = co_await read_all(exchange, 1 << 20);
    if (!content) {
        co_return std::to_string(head->status) + " " + std::string(content.error().cause().id);
    }
    const Fields trailers = exchange.trailers();
    co_return std::to_string(head->status) + " " + *content +
        (trailers.empty() ? "" : " " + std::string(trailers[0].value));
}

ALKNET_CO_TEST(HttpClient, TheTableOfAnswers) {
    const std::string closed(causes::kClosed.id);
    const std::string protocol(causes::kProtocol.id);
    EXPECT_EQ(co_await fetched("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), "200 hi");
    EXPECT_EQ(co_await fetched("HTTP/1.1 200 OK\r\n\r\nto the end"), "200 to the end");
    EXPECT_EQ(co_await fetched("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
              "204 ");
    EXPECT_EQ(co_await fetched("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"
                               "0\r\nX-Sum: 5\r\n\r\n"),
              "200 hi 5");
    EXPECT_EQ(co_await fetched("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD"), "200 ");
    EXPECT_EQ(co_await fetched("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi"), "200 " + closed);
    EXPECT_EQ(co_await fetched("HTTP/1.1 200 OK\r\nConte"), closed);
    EXPECT_EQ(co_await fetched(""), closed);
    EXPECT_EQ(co_await fetched("HTTP/1.1 101 Switching Protocols\r\n\r\n"), protocol);
    EXPECT_EQ(co_await fetched("HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nhi"), protocol);
    EXPECT_EQ(co_await fetched("SSH-2.0-x\r\n"), protocol);
}

ALKNET_CO_TEST(HttpClient, WhatCannotBeSaidIsNot) {
    ClientRequest with_field{.host = "a"};
    with_field.fields.add("x", "a\r\nb: c");
    for (ClientRequest request :
         {ClientRequest{.host = ""}, ClientRequest{.host = "a b"}, ClientRequest{.host = "a\r\n"},
          ClientRequest{.method = "G T", .host = "a"}, ClientRequest{.target = "x", .host = "a"},
          ClientRequest{.target = "/ HTTP/1.1", .host = "a"},
          ClientRequest{.target = "/?\r\n", .host = "a"}, with_field}) {
        ByHand world("");
        ClientExchange exchange(*world.client);
        const auto asked = co_await exchange.ask(std::move(request));
        EXPECT_TRUE(!asked && asked.error().is(causes::kProtocol));
        std::array<std::byte, 10> piece{};
        EXPECT_FALSE(*world.server->try_read(piece)) << "nothing was sent";
    }
}

ALKNET_CO_TEST(HttpClient, AServerThatSaysNothingIsLeft) {
    ByHand world("");
    ClientExchange exchange(*world.client, {.answer_timeout = std::chrono::seconds(3)});
    const TimePoint began = loop.now();
    const auto asked = co_await exchange.ask({.host = "a"});
    EXPECT_TRUE(!asked && asked.error().is(errc::timeout));
    EXPECT_EQ(loop.now() - began, std::chrono::seconds(3));
}

// ---- WebSockets ----

task<result<void>> echo_once(WebSocket& socket, Request&, std::string protocol) {
    ALKNET_CO_TRY(const auto message, co_await socket.receive());
    ALKNET_CO_CHECK(co_await socket.send(protocol + ":" + message->data, true));
    ALKNET_CO_CHECK(co_await socket.receive());  // its end
    co_return result<void>();
}

task<result<Response>> accept(Request& request) {
    co_return accept_websocket(request, {.protocols = {"b"}, .serve = echo_once});
}

struct Heard {
    std::string message;
    std::string protocol;
};

task<result<void>> say_once(Heard& heard, WebSocket& socket, std::string protocol) {
    heard.protocol = std::move(protocol);
    ALKNET_CO_CHECK(co_await socket.send("hello", true));
    ALKNET_CO_TRY(const auto message, co_await socket.receive());
    heard.message = message ? message->data : "none";
    co_return result<void>();
}

ALKNET_CO_TEST(HttpClient, AWebSocketToOurOwnServer) {
    World world(loop);
    world.route("GET", "/ws", accept);
    world.start();
    Heard heard;
    EXPECT_TRUE(co_await dial_websocket(
        *world.client, {.target = "/ws",
                        .host = "a",
                        .protocols = {"a", "b"},
                        .serve = [&heard](WebSocket& socket, std::string protocol) {
                            return say_once(heard, socket, std::move(protocol));
                        }}));
    EXPECT_EQ(heard.message, "b:hello");
    EXPECT_EQ(heard.protocol, "b");
    world.client.reset();
    (void)co_await world.scope.join();
}

/// What becomes of a handshake to which the server answers so; {KEY} is the right answer.
task<std::string> dialed(std::string answer) {
    struct Server {
        static task<void> run(ByteStream& stream, std::string answer) {
            const std::string head = co_await receive_until(stream, "\r\n\r\n");
            constexpr std::string_view kField = "sec-websocket-key: ";
            const std::size_t at = head.find(kField);
            const std::string key = head.substr(at + kField.size(), 24);
            if (const std::size_t mark = answer.find("{KEY}"); mark != std::string::npos) {
                answer.replace(mark, 5, websocket_accept(key));
            }
            (void)co_await stream.write(as_bytes(answer));
            (void)co_await stream.finish();
        }
    };
    const TaskContext context = co_await current_context();
    ByHand world("");
    TaskScope scope(*context.loop);
    scope.spawn(Server::run(*world.server, std::move(answer)), "server");
    Heard heard;
    const auto outcome = co_await dial_websocket(
        *world.client, {.host = "a",
                        .protocols = {"a"},
                        .serve = [&heard](WebSocket& socket, std::string protocol) {
                            return say_once(heard, socket, std::move(protocol));
                        }});
    (void)co_await scope.join();
    co_return heard.message.empty() ? std::string(outcome ? "" : outcome.error().cause().id)
                                    : heard.message;
}

ALKNET_CO_TEST(HttpClient, HandshakesThatAreNotAccepted) {
    const std::string begun = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n";
    const std::string good = begun + "Connection: Upgrade\r\nSec-WebSocket-Accept: {KEY}\r\n";
    // The first message comes with the head.
    EXPECT_EQ(co_await dialed(good + "\r\n\x81\x02hi"), "hi");
    EXPECT_EQ(co_await dialed(good + "Sec-WebSocket-Protocol: a\r\n\r\n\x81\x02hi"), "hi");
    const std::string protocol(causes::kProtocol.id);
    for (const std::string& bad :
         {good + "Sec-WebSocket-Protocol: b\r\n\r\n", good + "Sec-WebSocket-Extensions: x\r\n\r\n",
          begun + "Sec-WebSocket-Accept: {KEY}\r\n\r\n",
          begun + "Connection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}) {
        EXPECT_EQ(co_await dialed(bad), protocol) << bad;
    }
    EXPECT_EQ(co_await dialed("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
              causes::kAuthRequired.id);
    EXPECT_EQ(co_await dialed("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
              causes::kForbidden.id);
}

}  // namespace
}  // namespace alknet::http
