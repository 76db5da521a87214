// The way of a connection through the endpoint, over memory: identity, policy, handler, close.
#include <alknet/core/echo.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>

#include "handlers.hpp"

namespace alknet {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

ALKNET_CO_TEST(Session, AHandlerThatReturnsWellClosesWithCodeZero) {
    TestNode node(loop);
    node.add("x", returns_at_once);
    Served served(node, "x", {}, SocketAddress::v4({192, 0, 2, 1}, 77));
    EXPECT_EQ(co_await served.ended(), close_code::kOk);
    EXPECT_EQ(node.endpoint().connections(), 0U);

    const auto opened = node.sink->last("conn.open");
    ALKNET_CO_ASSERT(opened.has_value());
    EXPECT_EQ(opened->field("remote_addr"), "192.0.2.1:77");
    EXPECT_EQ(opened->field("transport"), "memory");
    EXPECT_EQ(opened->field("alpn"), "x");
    EXPECT_EQ(opened->field("trace"), "00000000000000aa");
    const auto auth = node.sink->last("auth.attempt");
    ALKNET_CO_ASSERT(auth.has_value());
    EXPECT_EQ(auth->field("remote_addr"), "192.0.2.1:77");
    EXPECT_EQ(auth->field("alpn"), "x");
    EXPECT_EQ(auth->field("key_fingerprint"), "");
    EXPECT_EQ(auth->field("result"), "anonymous");
    const auto closed = node.sink->last("conn.close");
    ALKNET_CO_ASSERT(closed.has_value());
    EXPECT_EQ(closed->field("remote_addr"), "192.0.2.1:77");
    EXPECT_EQ(closed->field("code"), "0");
    EXPECT_EQ(closed->field("bytes"), "0");
    EXPECT_EQ(closed->field("trace"), "00000000000000aa");
    EXPECT_NE(closed->field("duration"), "");

    const std::string metrics = node.metrics->text();
    EXPECT_TRUE(
        contains(metrics, "alknet_connections_opened_total{alpn=\"x\",transport=\"memory\"} 1\n"));
    EXPECT_TRUE(contains(metrics, "alknet_connections{alpn=\"x\",transport=\"memory\"} 0\n"));
    EXPECT_TRUE(contains(
        metrics,
        "alknet_connections_closed_total{alpn=\"x\",transport=\"memory\",code=\"0\"} 1\n"));
}

ALKNET_CO_TEST(Session, IsListedWhileItLivesAndCanBeClosed) {
    TestNode node(loop);
    node.add("x", waits_for_the_end);
    const NodeId known = NodeKey::generate()->id();
    EXPECT_TRUE(node.identities->replace({make_peer("peer-1", known)}));
    EXPECT_TRUE(node.endpoint().list_connections().empty());
    Served served(node, "x", raw_key(known), SocketAddress::v4({192, 0, 2, 1}, 77));
    Served stranger(node, "x");
    (void)co_await loop.sleep(seconds(3));
    const auto all = node.endpoint().list_connections();
    ALKNET_CO_ASSERT(all.size() == 2);
    EXPECT_EQ(all[0].id, "00000000000000aa");
    EXPECT_EQ(all[0].alpn, "x");
    EXPECT_EQ(all[0].transport, Transport::memory);
    EXPECT_EQ(all[0].remote.to_string(), "192.0.2.1:77");
    EXPECT_EQ(all[0].fingerprint, known.fingerprint());
    EXPECT_EQ(all[0].identity, "peer-1");
    EXPECT_EQ(all[0].age, seconds(3));
    EXPECT_EQ(all[1].identity, std::nullopt);
    EXPECT_EQ(all[1].fingerprint, "");
    EXPECT_FALSE(node.endpoint().close_connection("00000000000000ab"));
    EXPECT_FALSE(node.endpoint().close_connection(""));
    EXPECT_TRUE(node.endpoint().close_connection(all[0].id));
    EXPECT_EQ(co_await served.ended(), close_code::kOk);
    EXPECT_EQ(node.endpoint().list_connections().size(), 1U);
    stranger.client->close(0, "");
    (void)co_await stranger.ended();
}

ALKNET_CO_TEST(Session, AnErrorIsMappedToACodeByTheHandler) {
    TestNode node(loop);
    node.add("default", fails);
    node.add("own", fails)->code_of_errors = 0x1234;
    Served first(node, "default");
    EXPECT_EQ(co_await first.ended(), close_code::kProtocol);
    // The peer is told the cause, not our detail.
    EXPECT_EQ(first.client->close_reason()->detail(), causes::kProtocol.what);
    Served second(node, "own");
    EXPECT_EQ(co_await second.ended(), 0x1234U);
    EXPECT_EQ(node.sink->count("handler.failed"), 2U);
    EXPECT_EQ(node.sink->last("handler.failed")->field("detail"), "it said something odd");
    EXPECT_TRUE(contains(node.metrics->text(),
                         "alknet_handler_failures_total{alpn=\"own\",kind=\"error\"} 1\n"));
    EXPECT_TRUE(contains(node.metrics->text(), "code=\"other\"} 1\n"));
}

ALKNET_CO_TEST(Session, AnExceptionEndsItsOwnConnectionAlone) {
    TestNode node(loop);
    const auto calm = node.add("calm", waits_for_the_end);
    node.add("throws", throws);
    node.add("throws_an_int", throws_an_int);
    Served neighbour(node, "calm");
    for (const char* alpn : {"throws", "throws_an_int"}) {
        Served served(node, alpn);
        EXPECT_EQ(co_await served.ended(), close_code::kInternal);
    }
    EXPECT_EQ(node.sink->count("handler.failed"), 2U);
    EXPECT_EQ(node.sink->last("handler.failed")->field("kind"), "exception");
    EXPECT_TRUE(contains(node.metrics->text(),
                         "alknet_handler_failures_total{alpn=\"throws\",kind=\"exception\"} 1\n"));
    EXPECT_EQ(calm->running, 1);
    EXPECT_FALSE(neighbour.client->close_reason().has_value());
    neighbour.client->close(0, "");
    EXPECT_EQ(co_await neighbour.ended(), 0U);
}

ALKNET_CO_TEST(Session, AnExceptionBeforeTheCoroutineBeginsIsCaughtToo) {
    TestNode node(loop);
    node.add("x", [](TestHandler&, std::shared_ptr<Connection>, AuthContext) -> task<result<void>> {
        throw std::runtime_error("not even a coroutine");
    });
    Served served(node, "x");
    EXPECT_EQ(co_await served.ended(), close_code::kInternal);
    EXPECT_EQ(node.sink->last("handler.failed")->field("detail"), "not even a coroutine");
}

ALKNET_CO_TEST(Session, AHandlerIsCancelledWhenItsConnectionEnds) {
    TestNode node(loop);
    const auto handler = node.add(
        "x", [](TestHandler&, std::shared_ptr<Connection>, AuthContext) -> task<result<void>> {
            Event never;
            co_return co_await never.wait();
        });
    Served served(node, "x");
    co_await settle(loop);
    EXPECT_EQ(handler->running, 1);
    served.client->close(3, "bye");
    EXPECT_EQ(co_await served.ended(), 3U);
    // It is no failure of the handler that the peer went.
    EXPECT_EQ(node.sink->count("handler.failed"), 0U);
    EXPECT_EQ(node.sink->last("conn.close")->field("code"), "3");
}

ALKNET_CO_TEST(Session, AHandlerThatNeverReturnsIsTakenDown) {
    TestNode node(loop);
    const auto handler = node.add("x", never_returns);
    Served served(node, "x");
    co_await settle(loop);
    EXPECT_EQ(handler->running, 1);
    served.client->close(0, "");
    const TimePoint before = loop.now();
    EXPECT_EQ(co_await served.ended(), 0U);
    EXPECT_EQ(loop.now() - before, node.options.limits.handler_unwind_timeout);
    EXPECT_EQ(handler->running, 0);
    EXPECT_EQ(node.endpoint().connections(), 0U);
    EXPECT_EQ(node.sink->last("handler.failed")->field("kind"), "stuck");
    EXPECT_EQ(node.sink->last("limit.hit")->field("limit"), "limits.handler_unwind_timeout");
}

task<result<void>> answers_and_returns(TestHandler&, std::shared_ptr<Connection> connection,
                                       AuthContext) {
    ALKNET_CO_TRY(auto stream, co_await connection->accept_bi());
    co_return co_await send_all(*stream, noise(200'000));
}

ALKNET_CO_TEST(Session, WhatAHandlerWroteBeforeItReturnedArrives) {
    TestNode node(loop);
    node.add("x", answers_and_returns);
    Served served(node, "x");
    auto stream = co_await served.client->open_bi();
    EXPECT_EQ((co_await receive_all(**stream)).value(), noise(200'000));
    EXPECT_FALSE(served.done());
    stream->reset();
    EXPECT_EQ(co_await served.ended(), close_code::kOk);
}

ALKNET_CO_TEST(Session, ALingeringConnectionEndsThoughThePeerDoesNotRead) {
    TestNode node(loop);
    node.add("x",
             [](TestHandler&, std::shared_ptr<Connection> c, AuthContext) -> task<result<void>> {
                 ALKNET_CO_TRY(auto stream, co_await c->accept_bi());
                 co_return co_await send_all(*stream, noise(10));
             });
    Served served(node, "x");
    auto stream = co_await served.client->open_bi();
    const TimePoint before = loop.now();
    EXPECT_EQ(co_await served.ended(), close_code::kOk);
    EXPECT_GE(loop.now() - before, node.options.limits.linger_timeout);
}

// ---- identity and policy ----

ALKNET_CO_TEST(Session, TheHandlerIsToldWhoThePeerIs) {
    TestNode node(loop);
    const NodeId alice = NodeKey::generate()->id();
    EXPECT_TRUE(node.identities->replace({make_peer("alice", alice, {"echo:use"})}));
    std::vector<AuthContext> seen;
    node.add("x", [&seen](TestHandler&, std::shared_ptr<Connection>, AuthContext auth) {
        seen.push_back(auth);
        return [](AuthContext) -> task<result<void>> { co_return result<void>{}; }(auth);
    });
    Served known(node, "x", raw_key(alice), SocketAddress::v4({192, 0, 2, 9}, 1));
    (void)co_await known.ended();
    EXPECT_EQ(node.sink->last("auth.attempt")->field("result"), "known");
    EXPECT_EQ(node.sink->last("auth.attempt")->field("key_fingerprint"), alice.fingerprint());
    Served stranger(node, "x", raw_key(NodeKey::generate()->id()));
    (void)co_await stranger.ended();
    EXPECT_EQ(node.sink->last("auth.attempt")->field("result"), "unknown");
    ALKNET_CO_ASSERT(seen.size() == 2);
    EXPECT_EQ(seen[0].alpn, "x");
    EXPECT_EQ(seen[0].remote.to_string(), "192.0.2.9:1");
    EXPECT_EQ(seen[0].peer.key, alice);
    EXPECT_EQ(seen[0].identity->id, "alice");
    EXPECT_EQ(seen[0].identity->scopes, std::vector<std::string>{"echo:use"});
    EXPECT_FALSE(seen[1].identity.has_value());
}

ALKNET_CO_TEST(Session, PoliciesAreKeptBeforeTheHandlerStarts) {
    TestNode node(loop);
    const NodeId alice = NodeKey::generate()->id();
    EXPECT_TRUE(node.identities->replace({make_peer("alice", alice)}));
    const auto handler = node.add("private", returns_at_once, {.identity_required = true});
    Served stranger(node, "private");
    EXPECT_EQ(co_await stranger.ended(), close_code::kAuthRequired);
    Served unknown(node, "private", raw_key(NodeKey::generate()->id()));
    EXPECT_EQ(co_await unknown.ended(), close_code::kAuthRequired);
    EXPECT_EQ(handler->started, 0);
    Served known(node, "private", raw_key(alice));
    EXPECT_EQ(co_await known.ended(), close_code::kOk);
    EXPECT_EQ(handler->started, 1);
    Served missing(node, "nothing");
    EXPECT_EQ(co_await missing.ended(), close_code::kNoHandler);
    // None of these is a failure of a handler.
    EXPECT_EQ(node.sink->count("handler.failed"), 0U);
}

result<void> demand_echo_use(const Identity& identity) {
    return std::ranges::find(identity.scopes, "echo:use") != identity.scopes.end()
               ? result<void>()
               : fail(causes::kScopeMissing, "echo:use");
}

ALKNET_CO_TEST(Session, WhoIsKnownIsToldWhichScopeItLacks) {
    TestNode node(loop);
    const NodeId alice = NodeKey::generate()->id();
    const NodeId bob = NodeKey::generate()->id();
    EXPECT_TRUE(node.identities->replace(
        {make_peer("alice", alice, {"echo:use"}), make_peer("bob", bob, {"other:use"})}));
    const auto handler =
        node.add("x", returns_at_once, {.identity_required = true, .demand = demand_echo_use});
    Served by_alice(node, "x", raw_key(alice));
    EXPECT_EQ(co_await by_alice.ended(), close_code::kOk);
    Served by_bob(node, "x", raw_key(bob));
    EXPECT_EQ(co_await by_bob.ended(), close_code::kForbidden);
    EXPECT_NE(by_bob.client->close_reason()->detail().find("echo:use"), std::string::npos);
    Served stranger(node, "x");
    EXPECT_EQ(co_await stranger.ended(), close_code::kAuthRequired);
    EXPECT_EQ(stranger.client->close_reason()->detail().find("echo:use"), std::string::npos);
    EXPECT_EQ(handler->started, 1);
}

ALKNET_CO_TEST(Session, WhoseTermHasEndedUsesWhatStrangersUse) {
    class Ended final : public IdentityProvider {
        task<result<std::optional<Identity>>> resolve_from_fingerprint(std::string) override {
            Identity identity;
            identity.id = "alice";
            identity.renewal_only = true;
            co_return std::optional<Identity>(identity);
        }
    };
    TestNode node(loop);
    node.options.identities = std::make_shared<Ended>();
    node.add("private", returns_at_once, {.identity_required = true});
    node.add("public", returns_at_once);
    const PeerIdentity key = raw_key(NodeKey::generate()->id());
    Served refused(node, "private", key);
    EXPECT_EQ(co_await refused.ended(), close_code::kForbidden);
    Served served(node, "public", key);
    EXPECT_EQ(co_await served.ended(), close_code::kOk);
}

ALKNET_CO_TEST(Session, APolicyThatNoLongerAdmitsEndsConnections) {
    TestNode node(loop);
    const NodeId alice = NodeKey::generate()->id();
    const NodeId bob = NodeKey::generate()->id();
    EXPECT_TRUE(node.identities->replace(
        {make_peer("alice", alice, {"echo:use"}), make_peer("bob", bob, {"other:use"})}));
    node.add("x", waits_for_the_end);
    Served by_alice(node, "x", raw_key(alice));
    Served by_bob(node, "x", raw_key(bob));
    Served by_stranger(node, "x");
    co_await settle(loop);
    node.endpoint().change_registry([](HandlerRegistry& registry) {
        EXPECT_TRUE(
            registry.set_policy("x", {.identity_required = true, .demand = demand_echo_use}));
    });
    co_await node.endpoint().recheck_identities();
    EXPECT_EQ(co_await by_bob.ended(), close_code::kForbidden);
    EXPECT_EQ(co_await by_stranger.ended(), close_code::kAuthRequired);
    EXPECT_FALSE(by_alice.client->close_reason().has_value());
    by_alice.client->close(0, "");
    (void)co_await by_alice.ended();
}

ALKNET_CO_TEST(Session, TransportsCanBeForbidden) {
    TestNode node(loop);
    node.add("x", returns_at_once, {.quic = false, .tcp = true, .iroh = false});
    for (const auto& [transport, code] : {std::pair(Transport::quic, close_code::kForbidden),
                                          std::pair(Transport::tcp, close_code::kOk),
                                          std::pair(Transport::iroh, close_code::kForbidden),
                                          std::pair(Transport::local, close_code::kOk)}) {
        Served served(node, "x", {}, {}, transport);
        EXPECT_EQ(co_await served.ended(), code) << to_string(transport);
    }
}

class Unavailable final : public IdentityProvider {
public:
    task<result<std::optional<Identity>>> resolve_from_fingerprint(std::string) override {
        if (throws) {
            throw std::runtime_error("the directory is broken");
        }
        if (hangs) {
            Event never;
            ALKNET_CO_CHECK(co_await never.wait());
        }
        co_return fail(causes::kIo, "the directory is gone");
    }
    bool throws = false;
    bool hangs = false;
};

ALKNET_CO_TEST(Session, AnIdentityThatCannotBeResolvedIsRefused) {
    TestNode node(loop);
    const auto provider = std::make_shared<Unavailable>();
    node.options.identities = provider;
    const auto handler = node.add("x", returns_at_once);
    const PeerIdentity key = raw_key(NodeKey::generate()->id());
    Served gone(node, "x", key);
    EXPECT_EQ(co_await gone.ended(), close_code::kInternal);
    EXPECT_EQ(node.sink->last("auth.attempt")->field("result"), "failed");
    provider->throws = true;
    Served thrown(node, "x", key);
    EXPECT_EQ(co_await thrown.ended(), close_code::kInternal);
    provider->throws = false;
    provider->hangs = true;
    Served hanging(node, "x", key);
    EXPECT_EQ(co_await hanging.ended(), close_code::kTimeout);
    EXPECT_EQ(handler->started, 0);
    // Without a directory everybody is a stranger.
    TestNode without(loop);
    without.options.identities = nullptr;
    without.add("x", returns_at_once);
    Served served(without, "x", key);
    EXPECT_EQ(co_await served.ended(), close_code::kOk);
}

ALKNET_CO_TEST(Session, AWithdrawnIdentityEndsItsConnections) {
    TestNode node(loop);
    const NodeId alice = NodeKey::generate()->id();
    const NodeId bob = NodeKey::generate()->id();
    EXPECT_TRUE(node.identities->replace(
        {make_peer("alice", alice, {"a:b", "c:d"}), make_peer("bob", bob)}));
    node.add("x", waits_for_the_end);
    Served by_alice(node, "x", raw_key(alice));
    Served by_bob(node, "x", raw_key(bob));
    Served by_stranger(node, "x");
    co_await settle(loop);
    co_await node.endpoint().recheck_identities();
    // More rights than before change nothing for those who are there.
    EXPECT_TRUE(node.identities->replace(
        {make_peer("alice", alice, {"c:d", "a:b", "e:f"}), make_peer("bob", bob)}));
    co_await node.endpoint().recheck_identities();
    EXPECT_FALSE(by_alice.client->close_reason().has_value());
    EXPECT_TRUE(node.identities->replace({make_peer("alice", alice, {"a:b"})}));
    co_await node.endpoint().recheck_identities();
    EXPECT_EQ(co_await by_alice.ended(), close_code::kForbidden);
    EXPECT_EQ(co_await by_bob.ended(), close_code::kForbidden);
    EXPECT_FALSE(by_stranger.client->close_reason().has_value());
    by_stranger.client->close(0, "");
    (void)co_await by_stranger.ended();
}

ALKNET_CO_TEST(Session, ADirectoryThatFailsTakesNobodysAccessAway) {
    TestNode node(loop);
    const NodeId alice = NodeKey::generate()->id();
    class Switching final : public IdentityProvider {
    public:
        task<result<std::optional<Identity>>> resolve_from_fingerprint(std::string f) override {
            if (throws) {
                throw std::runtime_error("broken");
            }
            if (fails) {
                co_return fail(causes::kIo);
            }
            (void)f;
            Identity identity;
            identity.id = "alice";
            co_return std::optional<Identity>(identity);
        }
        bool fails = false;
        bool throws = false;
    };
    const auto provider = std::make_shared<Switching>();
    node.options.identities = provider;
    node.add("x", waits_for_the_end);
    Served served(node, "x", raw_key(alice));
    co_await settle(loop);
    provider->fails = true;
    co_await node.endpoint().recheck_identities();
    provider->throws = true;
    co_await node.endpoint().recheck_identities();
    EXPECT_FALSE(served.client->close_reason().has_value());
    served.client->close(0, "");
    (void)co_await served.ended();
}

// ---- limits ----

ALKNET_CO_TEST(Session, ConnectionsAreLimitedInAllPerIpAndPerIdentity) {
    TestNode node(loop);
    node.options.limits.connections_max = 5;
    node.options.limits.connections_per_ip_max = 2;
    node.options.limits.connections_per_identity_max = 1;
    const NodeId alice = NodeKey::generate()->id();
    EXPECT_TRUE(node.identities->replace({make_peer("alice", alice)}));
    node.add("x", waits_for_the_end);
    const auto ip = [](std::uint8_t last) { return SocketAddress::v4({192, 0, 2, last}, 1); };

    Served a(node, "x", {}, ip(1));
    Served b(node, "x", {}, ip(1));
    Served by_ip(node, "x", {}, ip(1));
    EXPECT_EQ(co_await by_ip.ended(), close_code::kLimit);
    EXPECT_EQ(node.sink->last("limit.hit")->field("limit"), "limits.connections_per_ip_max");
    EXPECT_EQ(by_ip.client->close_reason()->detail(), "limits.connections_per_ip_max");

    Served c(node, "x", raw_key(alice), ip(2));
    co_await settle(loop);
    Served by_identity(node, "x", raw_key(alice), ip(3));
    EXPECT_EQ(co_await by_identity.ended(), close_code::kLimit);
    EXPECT_EQ(node.sink->last("limit.hit")->field("limit"), "limits.connections_per_identity_max");

    Served d(node, "x", {}, ip(4));
    Served e(node, "x", {}, ip(5));
    co_await settle(loop);
    EXPECT_EQ(node.endpoint().connections(), 5U);
    Served total(node, "x", {}, ip(6));
    EXPECT_EQ(co_await total.ended(), close_code::kLimit);
    EXPECT_EQ(node.sink->last("limit.hit")->field("limit"), "limits.connections_max");
    EXPECT_TRUE(contains(node.metrics->text(),
                         "alknet_limit_hits_total{limit=\"limits.connections_max\"} 1\n"));
    // A place that is given up can be had.
    a.client->close(0, "");
    (void)co_await a.ended();
    Served again(node, "x", {}, ip(1));
    co_await settle(loop);
    EXPECT_FALSE(again.client->close_reason().has_value());
    for (Served* served : {&b, &c, &d, &e, &again}) {
        served->client->close(0, "");
        (void)co_await served->ended();
    }
    EXPECT_EQ(node.endpoint().connections(), 0U);
}

ALKNET_CO_TEST(Session, ALimitThatStrikesOftenIsLoggedOnceASecond) {
    TestNode node(loop);
    node.options.limits.connections_max = 0;
    node.add("x", returns_at_once);
    for (int i = 0; i < 10; ++i) {
        Served served(node, "x");
        EXPECT_EQ(co_await served.ended(), close_code::kLimit);
    }
    EXPECT_EQ(node.sink->count("limit.hit"), 1U);
    EXPECT_TRUE(co_await loop.sleep(seconds(1)));
    Served served(node, "x");
    (void)co_await served.ended();
    EXPECT_EQ(node.sink->count("limit.hit"), 2U);
    EXPECT_EQ(node.sink->last("limit.hit")->field("suppressed"), "9");
    EXPECT_TRUE(contains(node.metrics->text(),
                         "alknet_limit_hits_total{limit=\"limits.connections_max\"} 11\n"));
}

ALKNET_CO_TEST(Session, NewLimitsHoldForNewConnections) {
    TestNode node(loop);
    node.add("x", waits_for_the_end);
    Served a(node, "x");
    co_await settle(loop);
    EndpointLimits limits = node.options.limits;
    limits.connections_max = 1;
    node.endpoint().set_limits(limits);
    Served b(node, "x");
    EXPECT_EQ(co_await b.ended(), close_code::kLimit);
    EXPECT_FALSE(a.client->close_reason().has_value());
    limits.connections_max = 2;
    node.endpoint().set_limits(limits);
    Served c(node, "x");
    co_await settle(loop);
    EXPECT_FALSE(c.client->close_reason().has_value());
    for (Served* served : {&a, &c}) {
        served->client->close(0, "");
        (void)co_await served->ended();
    }
}

ALKNET_CO_TEST(Session, ServingStopsWithItsCaller) {
    TestNode node(loop);
    const auto handler = node.add("x", waits_for_the_end);
    Served served(node, "x");
    co_await settle(loop);
    served.cancel();
    EXPECT_EQ(co_await served.ended(), close_code::kShutdown);
    EXPECT_EQ(handler->running, 0);
}

}  // namespace
}  // namespace alknet
