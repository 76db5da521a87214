// WebSockets over HTTP/3 (RFC 9220): the handshake, messages both ways, the end, and a route.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/http/websocket.hpp>

#include "h3_world.hpp"
#include "upstream_world.hpp"
#include "websocket_frames.hpp"

namespace alknet::http {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::StartsWith;

const std::string kOk("\0\0\xd9", 3);                           // no dynamic table; `:status: 200`
const std::string kNotImplemented("\0\0\x5f\x09\x82l\x01", 7);  // in the code of Huffman
const std::string kBadRequest("\0\0\xff\x04", 4);

std::string handshake(std::string_view path = "/ws", std::string_view more = {}) {
    return h3_head("CONNECT", path,
                   h3_field(":protocol", "websocket") + h3_field("sec-websocket-version", "13") +
                       std::string(more));
}

std::string in_data(std::string_view octets) {
    return h3_frame(kDataFrame, octets);
}

// Sends back what comes, until "end".
task<result<void>> echo_messages(WebSocket& socket, Request&, std::string) {
    for (;;) {
        ALKNET_CO_TRY(const auto message, co_await socket.receive());
        if (!message || message->data == "end") {
            co_return result<void>();
        }
        ALKNET_CO_CHECK(co_await socket.send(message->data, message->text));
    }
}

task<result<Response>> serve(Request& request) {
    co_return accept_websocket(request, {.protocols = {"chat"}, .serve = echo_messages});
}

struct Socket {
    explicit Socket(std::unique_ptr<BiStream> its_stream) : stream(std::move(its_stream)) {}

    task<void> send(std::string octets) {
        EXPECT_TRUE(co_await stream->write(as_bytes(in_data(octets))));
    }
    /// The content that has come, once it ends so, or the stream does.
    task<std::string> receive(std::string end) {
        std::array<std::byte, 1000> piece{};
        for (;;) {
            std::string content;
            for (const H3Frame& frame : h3_frames(received)) {
                (frame.type == kHeadersFrame ? head : content) =
                    frame.type == kHeadersFrame ? frame.payload : content + frame.payload;
            }
            if (!end.empty() && content.ends_with(end)) {
                co_return content;
            }
            const auto count = co_await stream->read(piece);
            if (!count || *count == 0) {
                ended = count.has_value();
                co_return content;
            }
            received.insert(received.end(), piece.begin(),
                            piece.begin() + static_cast<std::ptrdiff_t>(*count));
        }
    }

    std::unique_ptr<BiStream> stream;
    Bytes received;
    std::string head;
    bool ended = false;
};

ALKNET_CO_TEST(WebSocketH3, MessagesBothWaysAndTheEnd) {
    H3World world(loop);
    world.route("GET", "/ws", serve);
    co_await world.greet();
    Socket socket(
        co_await world.open(handshake("/ws", h3_field("sec-websocket-protocol", "other, chat"))));
    co_await socket.send(frame(kText, "first") + frame(kPing, "p"));
    const std::string first = frame(kText, "first", {.masked = false});
    const std::string pong = frame(kPong, "p", {.masked = false});
    EXPECT_THAT(co_await socket.receive(pong), testing::AnyOf(first + pong, pong));
    EXPECT_THAT(socket.head, StartsWith(kOk));
    co_await socket.send(frame(kText, "end"));
    const std::string bye = close_frame(1000, "", {.masked = false});
    EXPECT_THAT(co_await socket.receive(bye), testing::EndsWith(bye));
    co_await socket.send(close_frame(1000));
    EXPECT_TRUE(co_await socket.stream->finish());
    (void)co_await socket.receive("");
    EXPECT_TRUE(socket.ended);
    co_await world.finish();
    EXPECT_THAT(world.served, ElementsAre("/ws 200"));
}

ALKNET_CO_TEST(WebSocketH3, AClientThatDoesNotEndIsNotWaitedFor) {
    H3World world(loop);
    world.route("GET", "/ws", serve);
    co_await world.greet();
    Socket socket(co_await world.open(handshake() + in_data(frame(kText, "end"))));
    (void)co_await socket.receive(close_frame(1000, "", {.masked = false}));
    const TimePoint began = loop.now();
    co_await socket.send(close_frame(1000));
    (void)co_await socket.receive("");
    EXPECT_TRUE(socket.ended);
    while (world.served.empty()) {
        co_await loop.sleep(std::chrono::seconds(1));
        (void)co_await socket.stream->write(as_bytes(in_data("what is read no more")));
        ALKNET_CO_ASSERT(loop.now() - began < std::chrono::minutes(1));
    }
    EXPECT_GE(loop.now() - began, kTunnelEndTimeout);
    co_await world.finish();
}

ALKNET_CO_TEST(WebSocketH3, AClientThatGoesEndsIt) {
    H3World world(loop);
    world.route("GET", "/ws", serve);
    co_await world.greet();
    Socket socket(co_await world.open(handshake() + in_data(frame(kText, "hi"))));
    (void)co_await socket.receive("hi");
    socket.stream->reset(h3_code::kRequestCancelled);
    co_await loop.sleep(std::chrono::seconds(1));
    EXPECT_THAT(world.served, ElementsAre("/ws 200"));
    co_await world.finish();
}

ALKNET_CO_TEST(WebSocketH3, MoreThanABodyMayHave) {
    Limits limits;
    limits.message.body_bytes_max = 1000;
    H3World world(loop, limits);
    world.route("GET", "/ws", serve);
    co_await world.greet();
    Socket socket(co_await world.open(handshake()));
    for (const char c : std::string_view("abcd")) {
        co_await socket.send(frame(kText, std::string(500, c)));
        (void)co_await socket.receive(std::string(500, c));
        EXPECT_FALSE(socket.ended);
    }
    co_await world.finish();
}

ALKNET_CO_TEST(WebSocketH3, WhatNobodyServesIsNoSuccess) {
    H3World world(loop);
    co_await world.greet();
    const std::string not_found("\0\0\xdb", 3);
    EXPECT_THAT((co_await world.ask(handshake("/nothing"))).head, StartsWith(not_found));
    co_await world.finish();
}

// Its content would pass for requests where it is passed on.
ALKNET_CO_TEST(WebSocketH3, ConnectLeadsToWebSocketsAloneWithoutALength) {
    H3World world(loop);
    world.route("GET", "/", serve);
    co_await world.greet();
    const std::string websocket = h3_field(":protocol", "websocket");
    EXPECT_THAT(
        (co_await world.ask(h3_head("CONNECT", "/", websocket + h3_field("content-length", "3")) +
                            h3_frame(kDataFrame, "GET")))
            .head,
        StartsWith(kBadRequest));
    EXPECT_THAT(
        (co_await world.ask(h3_head("CONNECT", "/", h3_field(":protocol", "connect-udp")))).head,
        StartsWith(kNotImplemented));
    co_await world.finish();
}

std::string key_in(std::string_view request) {
    constexpr std::string_view kName = "sec-websocket-key: ";
    const std::size_t at = request.find(kName);
    return at == std::string_view::npos ? "" : std::string(request.substr(at + kName.size(), 24));
}

ALKNET_CO_TEST(WebSocketH3, OctetsPassARouteBothWays) {
    H3World world(loop);
    const auto network = std::make_shared<FakeNetwork>();
    world.route(
        "GET", "/*rest",
        make_proxy({.upstream = {.host = "upstream"}},
                   {.network = network, .may_connect = [](std::string_view, const SocketAddress&) {
                        return result<void>();
                    }}));
    co_await world.greet();
    Socket socket(co_await world.open(handshake("/chat")));
    EXPECT_TRUE(co_await network->arrived.wait());
    const std::unique_ptr<ByteStream> upstream = std::move(network->upstream.front());
    const std::string asked = co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_THAT(asked, StartsWith("GET /chat HTTP/1.1\r\n"));
    EXPECT_TRUE(
        co_await upstream->write(as_bytes("HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: " +
                                          websocket_accept(key_in(asked)) + "\r\n\r\nfirst")));
    EXPECT_EQ(co_await socket.receive("first"), "first");
    EXPECT_THAT(socket.head, StartsWith(kOk));
    co_await socket.send("up");
    EXPECT_EQ(co_await receive_until(*upstream, "up"), "up");
    EXPECT_TRUE(co_await upstream->write(as_bytes("down")));
    EXPECT_EQ(co_await socket.receive("down"), "firstdown");
    EXPECT_TRUE(co_await socket.stream->finish());
    std::array<std::byte, 1> more{};
    EXPECT_EQ(co_await upstream->read(more), 0U);
    EXPECT_TRUE(co_await upstream->finish());
    (void)co_await socket.receive("");
    EXPECT_TRUE(socket.ended);
    co_await world.finish();
}

}  // namespace
}  // namespace alknet::http
