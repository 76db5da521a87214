// WebSockets on connections: the handshake, messages both ways, pings, the end, and routes.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/http/websocket.hpp>

#include "upstream_world.hpp"
#include "websocket_frames.hpp"

namespace alknet::http {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";  // RFC 6455 section 1.3

std::string handshake(std::string_view more = {}, std::string_view version = "13") {
    std::string text = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n";
    text.append("Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: ").append(kKey);
    text.append("\r\nSec-WebSocket-Version: ").append(version).append("\r\n").append(more);
    return text.append("\r\n");
}

// Sends back what comes, until "error" or "end".
task<result<void>> echo_messages(WebSocket& socket, Request&, std::string) {
    for (;;) {
        ALKNET_CO_TRY(const auto message, co_await socket.receive());
        if (!message || message->data == "end") {
            co_return result<void>();
        }
        if (message->data == "error") {
            co_return fail(causes::kInternal);
        }
        ALKNET_CO_CHECK(co_await socket.send(message->data, message->text));
    }
}

task<result<Response>> serve(Request& request, WebSocketOptions options) {
    if (!options.serve) {
        options.serve = echo_messages;
    }
    co_return accept_websocket(request, std::move(options));
}

struct SocketWorld : World {
    explicit SocketWorld(Loop& its_loop, const WebSocketOptions& options = {}) : World(its_loop) {
        route("GET", "/ws", [options](Request& request) { return serve(request, options); });
        start();
    }
    task<void> open() {
        co_await send(handshake());
        EXPECT_THAT(co_await receive("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
    }
    /// What comes of the connection until it ends.
    task<void> ends() {
        client.reset();
        (void)co_await scope.join();
    }
};

ALKNET_CO_TEST(WebSocket, TheHandshakeOfTheRfc) {
    SocketWorld world(loop);
    co_await world.send(handshake());
    const std::string answer = co_await world.receive("\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    EXPECT_THAT(answer, HasSubstr("sec-websocket-accept: " + std::string(kAccept) + "\r\n"));
    EXPECT_THAT(answer, HasSubstr("connection: upgrade\r\nupgrade: websocket\r\n"));
    EXPECT_THAT(answer, testing::Not(HasSubstr("content-length")));
    co_await world.ends();
}

ALKNET_CO_TEST(WebSocket, MessagesBothWaysAndTheEnd) {
    SocketWorld world(loop);
    // The first frame comes with the handshake.
    co_await world.send(handshake() + frame(kText, "first"));
    EXPECT_THAT(co_await world.receive("first"), EndsWith("\r\n\r\n\x81\x05"
                                                          "first"));
    co_await world.send(frame(kBinary, "second") + frame(kPing, "p"));
    EXPECT_EQ(co_await world.receive("second"), "\x8a\x01p\x82\x06second");
    co_await world.send(close_frame(1001, "bye"));
    EXPECT_EQ(co_await world.receive_all(), close_frame(1001, "bye", {.masked = false}));
    EXPECT_TRUE(world.closed);
    (void)co_await world.scope.join();
    EXPECT_THAT(world.served, ElementsAre("GET /ws 101"));
}

ALKNET_CO_TEST(WebSocket, TheServerMayEndFirst) {
    for (const auto& [said, code] : {std::pair("end", 1000), std::pair("error", 1011)}) {
        SocketWorld world(loop);
        co_await world.open();
        co_await world.send(frame(kText, said));
        const std::string bye =
            close_frame(static_cast<std::uint16_t>(code), "", {.masked = false});
        EXPECT_EQ(co_await world.receive(bye), bye);
        co_await world.send(close_frame(static_cast<std::uint16_t>(code)));
        EXPECT_EQ(co_await world.receive_all(), "");
        (void)co_await world.scope.join();
    }
}

ALKNET_CO_TEST(WebSocket, AnEndThatIsNotAnsweredIsNotWaitedFor) {
    SocketWorld world(loop);
    co_await world.open();
    co_await world.send(frame(kText, "end"));
    const TimePoint began = loop.now();
    (void)co_await world.receive_all();
    EXPECT_EQ(loop.now() - began, kCloseTimeout);
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(WebSocket, ABrokenRuleIsTheEnd) {
    SocketWorld world(loop, {.limits = {.message_bytes_max = 10}});
    co_await world.open();
    co_await world.send(frame(kText, std::string(11, 'x')));
    EXPECT_EQ(co_await world.receive_all(), close_frame(1009, "", {.masked = false}));
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(WebSocket, SilenceIsFollowedByAPingAndThenByTheEnd) {
    SocketWorld world(loop, {.limits = {.heartbeat = std::chrono::seconds(7)}});
    co_await world.open();
    const TimePoint began = loop.now();
    const std::string ping = frame(kPing, "", {.masked = false});
    EXPECT_EQ(co_await world.receive(ping), ping);
    EXPECT_EQ(loop.now() - began, std::chrono::seconds(7));
    co_await world.send(frame(kPong, ""));
    EXPECT_EQ(co_await world.receive(ping), ping);
    EXPECT_EQ(loop.now() - began, std::chrono::seconds(21));
    (void)co_await world.scope.join();
    EXPECT_EQ(loop.now() - began, std::chrono::seconds(28));
}

task<result<void>> receive_nothing(WebSocket&, Request&, std::string) {
    Event never;
    co_return co_await never.wait();
}

ALKNET_CO_TEST(WebSocket, OneOverWhichNoMessagePassesCanBeEnded) {
    SocketWorld world(loop, {.limits = {.idle_timeout = std::chrono::seconds(20)}});
    co_await world.open();
    const TimePoint began = loop.now();
    co_await loop.sleep(std::chrono::seconds(15));
    co_await world.send(frame(kText, "x"));
    EXPECT_THAT(co_await world.receive("x"), EndsWith("x"));
    for (int i = 0; i < 3; ++i) {  // which is no message
        co_await loop.sleep(std::chrono::seconds(6));
        co_await world.send(frame(kPong, "x"));
    }
    const std::string bye =
        close_frame(websocket_code::kGoingAway, "nothing has passed", {.masked = false});
    EXPECT_EQ(co_await world.receive(bye), bye);
    EXPECT_EQ(loop.now() - began, std::chrono::seconds(35));
    co_await world.send(close_frame(websocket_code::kGoingAway));
    EXPECT_EQ(co_await world.receive_all(), "");
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(WebSocket, NoMoreIsReadThanIsTaken) {
    SocketWorld world(loop, {.serve = receive_nothing});
    co_await world.open();
    const std::string message = frame(kBinary, std::string(1000, 'x'));
    std::size_t taken = 0;
    while (co_await with_timeout(std::chrono::seconds(1), world.client->write(as_bytes(message)))) {
        taken += message.size();
    }
    EXPECT_LT(taken, 120'000U);
    world.scope.cancel();
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(WebSocket, AClientThatDoesNotReadIsGivenUp) {
    SocketWorld world(loop);
    co_await world.open();
    const TimePoint began = loop.now();
    const std::string message = frame(kBinary, std::string(1000, 'x'));
    while (co_await with_timeout(std::chrono::seconds(1), world.client->write(as_bytes(message)))) {
    }
    (void)co_await world.scope.join();
    EXPECT_EQ(loop.now() - began, WebSocketLimits().send_timeout);
}

ALKNET_CO_TEST(WebSocket, HandshakesThatAreRefused) {
    SocketWorld world(loop);
    std::string no_key = handshake();
    no_key.replace(no_key.find(kKey), kKey.size(), "short");
    std::string post = handshake("Content-Length: 1\r\n") + "x";
    std::string no_upgrade = handshake();
    no_upgrade.replace(no_upgrade.find("keep-alive, Upgrade"), 19, "keep-alive");
    for (const auto& [octets, status] :
         {std::pair(handshake("", "8"), "426"), std::pair(no_key, "400"), std::pair(post, "400"),
          std::pair(no_upgrade, "400"),
          std::pair(handshake("Origin: https://other.example\r\n"), "403"),
          std::pair(handshake("Origin: http://a\r\n"), "403"),
          std::pair(handshake("Origin: null\r\n"), "403"),
          std::pair(handshake("Sec-WebSocket-Protocol: a b\r\n"), "400")}) {
        co_await world.send(octets);
        EXPECT_THAT(co_await world.receive(".\n"), StartsWith("HTTP/1.1 " + std::string(status)))
            << octets;
    }
    co_await world.finish();
}

ALKNET_CO_TEST(WebSocket, PagesOfTheSiteMayConnect) {
    for (const std::string_view origin : {"https://a", "https://A:443", "https://friend.example"}) {
        SocketWorld world(loop, {.origins = {"https://friend.example"}});
        co_await world.send(handshake("Origin: " + std::string(origin) + "\r\n"));
        EXPECT_THAT(co_await world.receive("\r\n\r\n"), StartsWith("HTTP/1.1 101 ")) << origin;
        co_await world.ends();
    }
}

ALKNET_CO_TEST(WebSocket, TheBestSubProtocolThatIsOffered) {
    SocketWorld world(loop, {.protocols = {"b", "c"}, .protocol_required = true});
    co_await world.send(handshake("Sec-WebSocket-Protocol: x\r\n"));
    EXPECT_THAT(co_await world.receive(".\n"), StartsWith("HTTP/1.1 400 "));
    co_await world.send(handshake("Sec-WebSocket-Protocol: x, c\r\nSec-WebSocket-Protocol: b\r\n"));
    EXPECT_THAT(co_await world.receive("\r\n\r\n"), HasSubstr("sec-websocket-protocol: b\r\n"));
    co_await world.ends();
}

ALKNET_CO_TEST(WebSocket, SoManySubProtocolsAreLookedAt) {
    RequestHead head;
    std::string list = "a";
    for (std::size_t i = 1; i < kProtocolsMax; ++i) {
        list += ",a";
    }
    head.fields.add("sec-websocket-protocol", list);
    EXPECT_EQ(offered_protocols(head)->size(), kProtocolsMax);
    head.fields.add("sec-websocket-protocol", "a");
    EXPECT_FALSE(offered_protocols(head));
    co_return;
}

// ---- through a route ----

std::string key_in(std::string_view request) {
    constexpr std::string_view kName = "sec-websocket-key: ";
    const std::size_t at = request.find(kName);
    return at == std::string_view::npos ? "" : std::string(request.substr(at + kName.size(), 24));
}

ALKNET_CO_TEST(WebSocketRoute, OctetsPassBothWays) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(handshake("Sec-WebSocket-Protocol: chat\r\n"));
    const auto upstream = co_await proxy.accept();
    const std::string asked = co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_THAT(asked, HasSubstr("\r\nsec-websocket-protocol: chat\r\n"));
    EXPECT_THAT(asked, EndsWith("connection: upgrade\r\nupgrade: websocket\r\n\r\n"));
    const std::string key = key_in(asked);
    EXPECT_NE(key, kKey);
    EXPECT_TRUE(co_await upstream->write(
        as_bytes("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: " +
                 websocket_accept(key) + "\r\n\r\nfirst")));
    const std::string answer = co_await proxy.world.receive("first");
    EXPECT_THAT(answer, HasSubstr("sec-websocket-accept: " + std::string(kAccept) + "\r\n"));
    EXPECT_THAT(answer, HasSubstr("sec-websocket-protocol: chat\r\n"));
    co_await proxy.world.send("up");
    EXPECT_EQ(co_await receive_until(*upstream, "up"), "up");
    EXPECT_TRUE(co_await upstream->write(as_bytes("down")));
    EXPECT_EQ(co_await proxy.world.receive("down"), "down");
    EXPECT_TRUE(co_await upstream->finish());
    EXPECT_EQ(co_await proxy.world.receive_all(), "");
    EXPECT_TRUE(proxy.world.closed);
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(WebSocketRoute, AnUpstreamThatDoesNotSwitchIsHeard) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(handshake());
    const auto upstream = co_await proxy.accept();
    (void)co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_TRUE(co_await upstream->write(
        as_bytes("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")));
    EXPECT_THAT(co_await proxy.world.receive("no"), StartsWith("HTTP/1.1 401 "));
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(WebSocketRoute, AnUpstreamThatDidNotSeeTheKeyIsRefused) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(handshake());
    const auto upstream = co_await proxy.accept();
    (void)co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_TRUE(co_await upstream->write(as_bytes(
        "HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: " + std::string(kAccept) + "\r\n\r\n")));
    EXPECT_THAT(co_await proxy.world.receive("site.\n"), StartsWith("HTTP/1.1 502 "));
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(WebSocketRoute, TheEndOfTheClientIsThatOfTheUpstream) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(handshake());
    const auto upstream = co_await proxy.accept();
    const std::string key = key_in(co_await receive_until(*upstream, "\r\n\r\n"));
    EXPECT_TRUE(co_await upstream->write(as_bytes(
        "HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: " + websocket_accept(key) + "\r\n\r\n")));
    EXPECT_THAT(co_await proxy.world.receive("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
    proxy.world.client->reset(1);
    (void)co_await proxy.world.scope.join();
    std::array<std::byte, 1> more{};
    const auto end = co_await upstream->read(more);
    EXPECT_TRUE(!end || *end == 0);
}

ALKNET_CO_TEST(WebSocketRoute, ATunnelInWhichNothingPassesEnds) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(handshake());
    const auto upstream = co_await proxy.accept();
    const std::string key = key_in(co_await receive_until(*upstream, "\r\n\r\n"));
    EXPECT_TRUE(co_await upstream->write(as_bytes(
        "HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: " + websocket_accept(key) + "\r\n\r\n")));
    EXPECT_THAT(co_await proxy.world.receive("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
    const TimePoint began = loop.now();
    EXPECT_TRUE(co_await loop.sleep(std::chrono::minutes(30)));
    co_await proxy.world.send("up");
    (void)co_await proxy.world.scope.join();
    EXPECT_EQ(loop.now() - began, std::chrono::hours(2));
}

}  // namespace
}  // namespace alknet::http
