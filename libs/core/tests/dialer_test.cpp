// Dialling: which way is tried when, what is verified, and which error is told.
#include "world.hpp"

namespace alknet {
namespace {

using namespace test;

class DialerTest : public WorldTest {
protected:
    static DialOptions both() {
        DialOptions options;
        options.alpns = {std::string(kEchoAlpn)};
        return options;
    }
};

TEST_F(DialerTest, PrefersQuic) {
    serve_echo();
    listen();
    const auto connection = dial(both());
    ASSERT_TRUE(connection);
    EXPECT_EQ((*connection)->info().transport, Transport::quic);
    EXPECT_TRUE(echoes(*connection));
    EXPECT_EQ(node->sink->count("conn.open"), 1U);
}

TEST_F(DialerTest, FallsBackToTcpWhereUdpIsBlocked) {
    serve_echo();
    listen();
    block_udp(server_host, client_host);
    const TimePoint before = world.now();
    const auto connection = dial(both());
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_EQ((*connection)->info().transport, Transport::tcp);
    EXPECT_LT(world.now() - before, seconds(2));  // long before QUIC gives up
    EXPECT_TRUE(echoes(*connection));
}

TEST_F(DialerTest, TriesTcpAtOnceWhereNothingListensOnUdp) {
    serve_echo();
    ListenerOptions options;
    options.address = server_host.v4(kPort);
    options.quic = false;
    ASSERT_TRUE(node->endpoint().listen(options));
    const auto connection = dial(both());
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_EQ((*connection)->info().transport, Transport::tcp);
}

TEST_F(DialerTest, TriesEveryAddressOfAName) {
    serve_echo();
    listen();
    const sim::SimHost& dead = world.add_host("dead");
    world.set_cut(dead, client_host, true);
    world.add_name("node.example", {dead.v6(0), dead.v4(0), server_host.v4(0)});
    NodeAddress target = address();
    target.host = "node.example";
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        const TimePoint before = world.now();
        const auto connection = run(dialer->dial(target, only(transport)));
        ASSERT_TRUE(connection) << connection.error().message();
        EXPECT_EQ((*connection)->remote(), server_host.v4(kPort));
        EXPECT_LT(world.now() - before, seconds(2));
    }
}

TEST_F(DialerTest, GoesOverIpv6) {
    serve_echo();
    ListenerOptions options;
    options.address = server_host.v6(kPort);
    ASSERT_TRUE(node->endpoint().listen(options));
    NodeAddress target = address();
    target.host = server_host.v6(0).ip_text();
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        const auto connection = run(dialer->dial(target, only(transport)));
        ASSERT_TRUE(connection) << connection.error().message();
        EXPECT_TRUE(echoes(*connection));
    }
}

TEST_F(DialerTest, NoFallbackLoosensAPin) {
    serve_echo();
    listen();
    NodeAddress target = address();
    target.id = NodeKey::generate()->id();
    for (DialOptions options : {both(), only(Transport::quic), only(Transport::tcp)}) {
        const auto connection = run(dialer->dial(target, options));
        ASSERT_FALSE(connection);
        EXPECT_TRUE(connection.error().is(causes::kPeerKeyMismatch))
            << connection.error().message();
        options.verify = tls::VerifyCa{"example.org"};
        EXPECT_TRUE(run(dialer->dial(target, options)).error().is(causes::kUsage));
        options.verify = tls::VerifyPin{server_tls->key().id()};
        EXPECT_TRUE(run(dialer->dial(target, options)).error().is(causes::kUsage));
        options.verify = tls::VerifyPin{*target.id};
        EXPECT_TRUE(run(dialer->dial(target, options)).error().is(causes::kPeerKeyMismatch));
        // `probe` looks at whoever is there.
        options.verify = tls::VerifyNothing{};
        const auto probed = run(dialer->dial(target, options));
        ASSERT_TRUE(probed) << probed.error().message();
        EXPECT_EQ((*probed)->info().peer.key, server_tls->key().id());
    }
}

TEST_F(DialerTest, AnAddressWithoutAnIdIsVerifiedByAuthorities) {
    serve_echo();
    listen();
    NodeAddress target = address();
    target.id.reset();
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        const auto connection = run(dialer->dial(target, only(transport)));
        ASSERT_FALSE(connection);
        // The node has a raw key and no certificate.
        EXPECT_TRUE(connection.error().is(causes::kPeerUnverified) ||
                    connection.error().is(causes::kTls))
            << connection.error().message();
        DialOptions options = only(transport);
        options.verify = tls::VerifyPin{server_tls->key().id()};
        EXPECT_TRUE(run(dialer->dial(target, options)));
    }
}

TEST_F(DialerTest, TellsTheFailureThatSaysMost) {
    serve_echo();
    ListenerOptions options;
    options.address = server_host.v4(kPort);
    options.quic = false;
    ASSERT_TRUE(node->endpoint().listen(options));
    DialOptions dialling = both();
    dialling.alpns = {"nothing"};
    const auto unknown = dial(dialling);
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().is(causes::kNoCommonAlpn)) << unknown.error().message();
    EXPECT_TRUE(contains(unknown.error().detail(), "tcp-v4 " + server_host.v4(kPort).to_string()));
    NodeAddress target = address();
    target.port = kPort + 1;
    EXPECT_TRUE(run(dialer->dial(target, both())).error().is(causes::kUnreachable));
    world.set_cut(server_host, client_host, true);
    const auto silent = dial(only(Transport::quic));
    EXPECT_TRUE(silent.error().is(causes::kHandshakeTimeout)) << silent.error().message();
    const auto silent_tcp = dial(only(Transport::tcp));
    EXPECT_TRUE(silent_tcp.error().is(causes::kHandshakeTimeout)) << silent_tcp.error().message();
}

TEST_F(DialerTest, RefusesWhatItCannotTry) {
    DialOptions options = both();
    options.quic = options.tcp = false;
    EXPECT_TRUE(dial(options).error().is(causes::kUsage));
    options = both();
    options.alpns.clear();
    EXPECT_TRUE(dial(options).error().is(causes::kAlpnInvalid));
    options.alpns.assign(9, "x");
    EXPECT_TRUE(dial(options).error().is(causes::kAlpnInvalid));
    options.alpns = {std::string(32, 'x')};
    EXPECT_TRUE(dial(options).error().is(causes::kAlpnInvalid));
    NodeAddress target = address();
    target.host.clear();
    EXPECT_TRUE(run(dialer->dial(target, both())).error().is(causes::kResolve));
    target.host = "no.such.name";
    EXPECT_TRUE(run(dialer->dial(target, both())).error().is(causes::kResolve));
}

TEST_F(DialerTest, CanBeCancelled) {
    world.set_cut(server_host, client_host, true);
    Started dialling(client_process->loop(), dialer->dial(address(), both()));
    world.run_for(seconds(3));
    EXPECT_FALSE(dialling.done());
    dialling.cancel();
    const auto outcome = run(dialling.join());
    EXPECT_TRUE(outcome.error().is(causes::kCancelled)) << outcome.error().message();
    world.set_cut(server_host, client_host, false);
}

TEST_F(DialerTest, ResumesSessionsWithTheSamePeer) {
    serve_echo();
    listen();
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        const auto first = dial(transport);
        ASSERT_TRUE(first);
        EXPECT_FALSE((*first)->info().peer.resumed);
        EXPECT_TRUE(echoes(*first));  // the ticket has come
        const auto second = dial(transport);
        ASSERT_TRUE(second);
        EXPECT_TRUE((*second)->info().peer.resumed) << to_string(transport);
        EXPECT_EQ((*second)->info().peer.key, server_tls->key().id());
    }
}

TEST_F(DialerTest, ConnectionsOutliveIt) {
    serve_echo();
    listen();
    const auto by_quic = dial(Transport::quic);
    const auto by_tcp = dial(Transport::tcp);
    ASSERT_TRUE(by_quic && by_tcp);
    dialer.reset();
    EXPECT_TRUE(echoes(*by_quic));
    EXPECT_TRUE(echoes(*by_tcp));
}

TEST_F(DialerTest, ShutdownClosesWhatWasDialled) {
    serve_echo();
    listen();
    const auto by_quic = dial(Transport::quic);
    const auto by_tcp = dial(Transport::tcp);
    ASSERT_TRUE(by_quic && by_tcp);
    run(done_after(dialer->shutdown()));
    EXPECT_TRUE((*by_quic)->close_reason().has_value());
    EXPECT_TRUE((*by_tcp)->close_reason().has_value());
    EXPECT_TRUE(dial(both()).error().is(causes::kShuttingDown));
    ASSERT_TRUE(until([&] { return node->endpoint().connections() == 0; }));
}

}  // namespace
}  // namespace alknet
