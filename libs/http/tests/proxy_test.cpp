// Proxy routes: what passes both ways, what ends when, and what clients are told.
#include <gmock/gmock.h>
#include <alknet/http/site.hpp>
#include <alknet/net/proxy_protocol.hpp>

#include "upstream_exchange.hpp"
#include "upstream_world.hpp"

namespace alknet::http {
namespace {

using test::ProxyWorld;
using test::receive_until;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

ALKNET_CO_TEST(Proxy, AnAnswerWithALength) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(std::string(kGet));
    const auto upstream = co_await proxy.accept();
    EXPECT_THAT(co_await receive_until(*upstream, "\r\n\r\n"),
                StartsWith("GET /a HTTP/1.1\r\nhost: a\r\n"));
    EXPECT_TRUE(co_await upstream->write(
        as_bytes("HTTP/1.1 103 Early Hints\r\n\r\n"
                 "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello")));
    const std::string answer = co_await proxy.world.receive("hello");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 201 Created\r\nx-a: b\r\n"));
    EXPECT_THAT(answer, HasSubstr("content-length: 5\r\n"));
    co_await proxy.world.finish();
    EXPECT_THAT(proxy.world.served, ElementsAre("GET /a 201"));
    EXPECT_THAT(proxy.network.connected, ElementsAre("192.0.2.7:80"));
}

ALKNET_CO_TEST(Proxy, AnAnswerInChunksAndOneUntilTheEnd) {
    ProxyWorld proxy(loop);
    for (const std::string_view answer :
         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
          "HTTP/1.0 200 OK\r\n\r\nhello"}) {
        co_await proxy.world.send(std::string(kGet));
        const auto upstream = co_await proxy.accept();
        (void)co_await receive_until(*upstream, "\r\n\r\n");
        EXPECT_TRUE(co_await upstream->write(as_bytes(answer)));
        EXPECT_TRUE(co_await upstream->finish());
        const std::string got = co_await proxy.world.receive("\r\n0\r\n\r\n");
        EXPECT_THAT(got, HasSubstr("transfer-encoding: chunked\r\n"));
        EXPECT_THAT(got, HasSubstr("llo\r\n0\r\n\r\n"));
    }
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(Proxy, TheAnswerToHeadHasALengthAndNoContent) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto upstream = co_await proxy.accept();
    (void)co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_TRUE(co_await upstream->write(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")));
    EXPECT_THAT(co_await proxy.world.receive("\r\n\r\n"), HasSubstr("content-length: 5\r\n"));
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(Proxy, ARequestsBodyIsPassedOnAsItComes) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    const auto upstream = co_await proxy.accept();
    EXPECT_THAT(co_await receive_until(*upstream, "\r\n\r\n"),
                HasSubstr("transfer-encoding: chunked\r\n"));
    co_await proxy.world.send("3\r\nabc\r\n");
    EXPECT_EQ(co_await receive_until(*upstream, "abc\r\n"), "3\r\nabc\r\n");
    co_await proxy.world.send("1\r\nd\r\n0\r\n\r\n");
    EXPECT_EQ(co_await receive_until(*upstream, "0\r\n\r\n"), "1\r\nd\r\n0\r\n\r\n");
    EXPECT_TRUE(co_await upstream->write(as_bytes("HTTP/1.1 204 No Content\r\n\r\n")));
    EXPECT_THAT(co_await proxy.world.receive("\r\n\r\n"), StartsWith("HTTP/1.1 204 "));
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(Proxy, AnAnswerMayComeBeforeTheEndOfTheRequest) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    const auto upstream = co_await proxy.accept();
    (void)co_await receive_until(*upstream, "abc");
    EXPECT_TRUE(co_await upstream->write(as_bytes("HTTP/1.1 200 OK\r\n\r\nfirst ")));
    EXPECT_THAT(co_await proxy.world.receive("first \r\n"), StartsWith("HTTP/1.1 200 "));
    co_await proxy.world.send("defghi");
    EXPECT_EQ(co_await receive_until(*upstream, "ghi"), "defghi");
    EXPECT_TRUE(co_await upstream->write(as_bytes("second")));
    EXPECT_TRUE(co_await upstream->finish());
    EXPECT_THAT(co_await proxy.world.receive("0\r\n\r\n"), StartsWith("6\r\nsecond\r\n"));
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(Proxy, NeitherEndHoldsMoreThanItCanPassOn) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(std::string(kGet));
    const auto upstream = co_await proxy.accept();
    (void)co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_TRUE(co_await upstream->write(as_bytes("HTTP/1.1 200 OK\r\n\r\n")));
    const Bytes piece(1000);
    std::size_t taken = 0;
    for (;;) {
        const auto written = co_await with_timeout(std::chrono::seconds(1), upstream->write(piece));
        if (!written) {
            break;
        }
        taken += piece.size();
    }
    EXPECT_LT(taken, 200'000U);  // two streams of 64 KiB, and a few pieces of 16 KiB
    EXPECT_TRUE(co_await proxy.world.client->finish());
    proxy.world.client.reset();
    (void)co_await proxy.world.scope.join();
}

ALKNET_CO_TEST(Proxy, TheEndOfTheClientIsThatOfTheUpstream) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(std::string(kGet));
    const auto upstream = co_await proxy.accept();
    (void)co_await receive_until(*upstream, "\r\n\r\n");
    proxy.world.client->reset(1);
    (void)co_await proxy.world.scope.join();
    std::array<std::byte, 1> more{};
    const auto end = co_await upstream->read(more);
    EXPECT_TRUE(!end || *end == 0);
}

ALKNET_CO_TEST(Proxy, AnUpstreamThatDoesNotAnswerIs504) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(std::string(kGet));
    const auto upstream = co_await proxy.accept();
    const TimePoint began = loop.now();
    EXPECT_THAT(co_await proxy.world.receive("site.\n"), StartsWith("HTTP/1.1 504 "));
    EXPECT_EQ(loop.now() - began, ProxyOptions().answer_timeout);
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(Proxy, ALongRequestIsNotWaitedForInVain) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");
    const auto upstream = co_await proxy.accept();
    for (int i = 0; i < 9; ++i) {
        EXPECT_TRUE(co_await loop.sleep(std::chrono::seconds(20)));
        co_await proxy.world.send(std::string(10'000, 'x'));
        (void)co_await receive_until(*upstream, "x");
    }
    EXPECT_TRUE(co_await upstream->write(as_bytes("HTTP/1.1 204 No Content\r\n\r\n")));
    EXPECT_THAT(co_await proxy.world.receive("\r\n\r\n"), StartsWith("HTTP/1.1 204 "));
    proxy.world.client->reset(1);
    (void)co_await proxy.world.scope.join();
}

ALKNET_CO_TEST(Proxy, AConnectionThatIsNotMadeInTimeIs504) {
    ProxyWorld proxy(loop);
    proxy.network.hangs = true;
    const TimePoint began = loop.now();
    co_await proxy.world.send(std::string(kGet));
    EXPECT_THAT(co_await proxy.world.receive("site.\n"), StartsWith("HTTP/1.1 504 "));
    EXPECT_EQ(loop.now() - began, ProxyOptions().connect_timeout);
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(Proxy, AnUpstreamThatCannotBeUsedIs502) {
    ProxyWorld proxy(loop);
    proxy.network.refuses = true;
    co_await proxy.world.send(std::string(kGet));
    EXPECT_THAT(co_await proxy.world.receive("site.\n"), StartsWith("HTTP/1.1 502 "));
    proxy.network.refuses = false;
    for (const std::string_view bad :
         {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 101 Switching\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}) {
        co_await proxy.world.send(std::string(kGet));
        const auto upstream = co_await proxy.accept();
        (void)co_await receive_until(*upstream, "\r\n\r\n");
        EXPECT_TRUE(co_await upstream->write(as_bytes(bad)));
        EXPECT_TRUE(co_await upstream->finish());
        EXPECT_THAT(co_await proxy.world.receive("site.\n"), StartsWith("HTTP/1.1 502 ")) << bad;
    }
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(Proxy, AnAnswerThatBreaksOffIsNotTakenForWhole) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(std::string(kGet));
    const auto upstream = co_await proxy.accept();
    (void)co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_TRUE(
        co_await upstream->write(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")));
    EXPECT_THAT(co_await proxy.world.receive("abc"), HasSubstr("content-length: 9\r\n"));
    EXPECT_TRUE(co_await upstream->finish());
    EXPECT_EQ(co_await proxy.world.receive_all(), "");
    EXPECT_FALSE(proxy.world.closed);
    (void)co_await proxy.world.scope.join();
}

ALKNET_CO_TEST(Proxy, WhatMayNotBeConnectedToIsNot) {
    ProxyWorld proxy(loop);
    proxy.network.names["upstream"] = {"192.0.2.8:0", "192.0.2.9:0"};
    proxy.denied = "192.0.2.8";
    co_await proxy.world.send(std::string(kGet));
    const auto upstream = co_await proxy.accept();
    (void)co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_TRUE(co_await upstream->write(as_bytes("HTTP/1.1 204 No Content\r\n\r\n")));
    EXPECT_THAT(co_await proxy.world.receive("\r\n\r\n"), StartsWith("HTTP/1.1 204 "));
    EXPECT_THAT(proxy.network.connected, ElementsAre("192.0.2.9:80"));
    proxy.network.names["upstream"] = {"192.0.2.8:0"};
    co_await proxy.world.send(std::string(kGet));
    EXPECT_THAT(co_await proxy.world.receive("site.\n"), StartsWith("HTTP/1.1 502 "));
    EXPECT_THAT(proxy.network.connected, ElementsAre("192.0.2.9:80"));
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(Proxy, WithoutAWordNothingIsConnectedTo) {
    test::World world(loop);
    const auto shared = std::make_shared<test::FakeNetwork>();
    test::FakeNetwork& network = *shared;
    world.route("GET", "/*rest",
                make_proxy({.upstream = {.host = "upstream"}}, {.network = shared}));
    world.start();
    co_await world.send(std::string(kGet));
    EXPECT_THAT(co_await world.receive("site.\n"), StartsWith("HTTP/1.1 502 "));
    EXPECT_THAT(network.connected, IsEmpty());
    co_await world.finish();
}

ALKNET_CO_TEST(Proxy, TheHeaderOfTheProxyProtocolComesFirst) {
    ProxyWorld proxy(loop, {.upstream = {.host = "upstream"}, .proxy_header = true});
    proxy.world.auth.remote = SocketAddress::v4({192, 0, 2, 1}, 4000);
    co_await proxy.world.send(std::string(kGet));
    const auto upstream = co_await proxy.accept();
    net::ProxyHeaderReader reader;
    while (reader.wanted() > 0) {
        Bytes piece(reader.wanted());
        const auto count = co_await upstream->read(piece);
        ALKNET_CO_ASSERT_OK(count);
        EXPECT_TRUE(reader.add(BytesView(piece).first(*count)));
    }
    // What the client has connected to is not known here.
    EXPECT_EQ(reader.header().source, SocketAddress());
    EXPECT_THAT(co_await receive_until(*upstream, "\r\n\r\n"), StartsWith("GET /a HTTP/1.1\r\n"));
    proxy.world.client->reset(1);
    (void)co_await proxy.world.scope.join();
}

ALKNET_CO_TEST(Proxy, APrefixCanBeLeftOut) {
    ProxyWorld proxy(loop, {.upstream = {.host = "upstream", .port = 81}, .strip_prefix = "/a"});
    co_await proxy.world.send("GET /a/b?c HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto upstream = co_await proxy.accept();
    EXPECT_THAT(co_await receive_until(*upstream, "\r\n\r\n"), StartsWith("GET /b?c HTTP/1.1\r\n"));
    EXPECT_THAT(proxy.network.connected, ElementsAre("192.0.2.7:81"));
    proxy.world.client->reset(1);
    (void)co_await proxy.world.scope.join();
}

ALKNET_CO_TEST(Proxy, ARequestThatBreaksOffEndsTheUpstreamsToo) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    const auto upstream = co_await proxy.accept();
    (void)co_await receive_until(*upstream, "a\r\n");
    co_await proxy.world.send("no size\r\n");
    EXPECT_THAT(co_await proxy.world.receive("whole.\n"), StartsWith("HTTP/1.1 400 "));
    EXPECT_EQ(co_await receive_until(*upstream, ""), "");
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(Proxy, SoManyRequestsAreAtAnUpstreamAndNoMore) {
    const auto shared = std::make_shared<test::FakeNetwork>();
    test::FakeNetwork& network = *shared;
    network.hangs = true;
    const Handler handler = make_proxy(
        {.upstream = {.host = "upstream"}, .connect_timeout = std::chrono::hours(2)},
        {.network = shared,
         .may_connect = [](std::string_view, const SocketAddress&) { return result<void>(); }});
    struct NoBody final : BodySource {
        task<result<std::size_t>> read(MutableBytes) override { co_return 0U; }
    };
    NoBody body;
    std::deque<AuthContext> clients;
    std::deque<Request> requests;
    std::vector<int> statuses;
    TaskScope scope(loop);
    for (std::size_t i = 0; i <= kUpstreamExchangesMax; ++i) {
        clients.emplace_back().remote =
            SocketAddress::v4({192, 0, 2, static_cast<std::uint8_t>(i % 5)}, 1);
        requests.push_back({.head = {}, .body = body, .auth = clients.back(), .trace_id = ""});
        requests.back().head.method = "GET";
        requests.back().head.path = "/";
        struct Ask {
            static task<void> run(const Handler& handler, Request& request,
                                  std::vector<int>& statuses) {
                const auto response = co_await handler(request);
                if (response) {
                    statuses.push_back(response->status);
                }
            }
        };
        scope.spawn(Ask::run(handler, requests.back(), statuses), "ask");
    }
    EXPECT_TRUE(co_await loop.sleep(std::chrono::seconds(1)));
    EXPECT_THAT(statuses, ElementsAre(503));
    scope.cancel();
    (void)co_await scope.join();
}

// So that one client keeps no others out.
TEST(ProxyRoute, AClientHasItsShareOfThePlaces) {
    ProxyRoute route({}, {});
    for (std::size_t i = 0; i < kUpstreamExchangesEachMax; ++i) {
        EXPECT_TRUE(route.enter("ip 192.0.2.1"));
    }
    EXPECT_FALSE(route.enter("ip 192.0.2.1"));
    EXPECT_TRUE(route.enter("id bob"));
    route.leave("ip 192.0.2.1");
    EXPECT_TRUE(route.enter("ip 192.0.2.1"));
    EXPECT_FALSE(route.enter("ip 192.0.2.1"));
}

ALKNET_CO_TEST(Proxy, WhereASocketLeadsIsAskedForEachConnection) {
    std::vector<std::filesystem::path> asked;
    test::World world(loop);
    world.route(
        "GET", "/*rest",
        make_proxy({.upstream = {.host = "", .socket = "/nowhere/socket"}},
                   {.may_connect_socket = [&](const std::filesystem::path& socket) -> result<void> {
                       asked.push_back(socket);
                       return fail(causes::kForbidden, "it leads to the node");
                   }}));
    world.start();
    for (std::size_t i = 1; i <= 2; ++i) {
        co_await world.send(std::string(kGet));
        EXPECT_THAT(co_await world.receive("site.\n"), StartsWith("HTTP/1.1 502 "));
        EXPECT_EQ(asked.size(), i);
    }
    EXPECT_EQ(asked.front(), "/nowhere/socket");
    co_await world.finish();
}

task<int> status_of(const Sites& sites, std::string path) {
    struct NoBody final : BodySource {
        task<result<std::size_t>> read(MutableBytes) override { co_return 0U; }
    };
    NoBody body;
    const AuthContext auth;
    Request request{.head = {}, .body = body, .auth = auth, .trace_id = ""};
    request.head.method = "GET";
    request.head.path = std::move(path);
    co_return (co_await sites.answer(request)).status;
}

ALKNET_CO_TEST(Proxy, RoutesOfASite) {
    const auto shared = std::make_shared<test::FakeNetwork>();
    test::FakeNetwork& network = *shared;
    network.refuses = true;
    network.names["all"] = {"192.0.2.1:0"};
    network.names["deep"] = {"192.0.2.2:0"};
    const auto sites = Sites::create(
        {{.names = {},
          .root = {},
          .routes = {{.path = "/", .proxy = {.upstream = {.host = "all"}}},
                     {.path = "/a/b", .proxy = {.upstream = {.host = "deep"}}}},
          .health = true}},
        {}, {.network = shared, .may_connect = [](std::string_view, const SocketAddress&) {
                 return result<void>();
             }});
    ALKNET_CO_ASSERT_OK(sites);
    for (const std::string_view path : {"/", "/a", "/a/bc", "/a/b", "/a/%62/c"}) {
        EXPECT_EQ(co_await status_of(**sites, std::string(path)), 502) << path;
    }
    EXPECT_THAT(network.connected, ElementsAre("192.0.2.1:80", "192.0.2.1:80", "192.0.2.1:80",
                                               "192.0.2.2:80", "192.0.2.2:80"));
    EXPECT_EQ(co_await status_of(**sites, "/healthz"), 200);
    EXPECT_EQ(co_await status_of(**sites, "/x/../a/b"), 400);
    EXPECT_FALSE(
        Sites::create({{.names = {}, .root = {}, .routes = {{.path = "a", .proxy = {}}}}}, {}));
}

}  // namespace
}  // namespace alknet::http
