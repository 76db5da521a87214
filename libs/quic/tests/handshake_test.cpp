#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

class HandshakeTest : public QuicTest {
protected:
    static tls::VerifyPin other_pin() { return {NodeKey::generate()->id()}; }
};

TEST_F(HandshakeTest, BothSidesKnowWhatWasProven) {
    connect();
    const ConnectionInfo& client_info = pair.client->info();
    const ConnectionInfo& server_info = pair.server->info();
    EXPECT_EQ(client_info.transport, Transport::quic);
    EXPECT_FALSE(client_info.server_side);
    EXPECT_TRUE(server_info.server_side);
    EXPECT_EQ(server_info.alpn, "alknet/echo");
    EXPECT_EQ(client_info.peer.kind, PeerIdentity::Kind::raw_key);
    EXPECT_EQ(server_info.peer.kind, PeerIdentity::Kind::raw_key);
    EXPECT_EQ(server_info.peer.key, shared_client_context()->key().id());
    EXPECT_EQ(client_info.peer.key, policy.context->key().id());
    EXPECT_EQ(client_info.tls_version, "TLS1.3");
    EXPECT_EQ(client_info.cipher, server_info.cipher);
    EXPECT_EQ(client_info.trace_id.size(), 16U);
    EXPECT_EQ(client_info.trace_id, server_info.trace_id);
    EXPECT_EQ(client_info.remote, server_host.v4(kPort));
    EXPECT_EQ(server_info.local, server_host.v4(kPort));
    EXPECT_EQ(server_info.remote, client->local_address());
    EXPECT_EQ(pair.server->remote(), client->local_address());
    ASSERT_EQ(policy.asked.size(), 1U);
    EXPECT_EQ(policy.asked.front().remote, client->local_address());
    EXPECT_FALSE(policy.asked.front().validated);
    ASSERT_EQ(policy.ended.size(), 1U);
    EXPECT_TRUE(policy.ended.front());
    EXPECT_EQ(server->stats().half_open, 0U);
}

TEST_F(HandshakeTest, ExportedKeysAgree) {
    connect();
    Bytes ours(32);
    Bytes theirs(32);
    ASSERT_TRUE(pair.client->export_keying_material("EXPORTER-x", as_bytes("c"), ours));
    ASSERT_TRUE(pair.server->export_keying_material("EXPORTER-x", as_bytes("c"), theirs));
    EXPECT_EQ(ours, theirs);
}

TEST_F(HandshakeTest, NoCommonServiceIsSaidByTheServer) {
    start();
    auto options = target();
    options.tls.alpns = {"alknet/other"};
    const auto outcome = dial(std::move(options));
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kNoCommonAlpn)) << outcome.error().message();
    ASSERT_EQ(policy.ended.size(), 1U);
    ASSERT_FALSE(policy.ended.front());
    EXPECT_TRUE(policy.ended.front().error().is(causes::kNoCommonAlpn));
    EXPECT_EQ(server->stats().half_open, 0U);
}

TEST_F(HandshakeTest, AnotherKeyThanThePinnedOneEndsTheDial) {
    start();
    auto options = target();
    options.tls.verify = other_pin();
    const auto outcome = dial(std::move(options));
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kPeerKeyMismatch)) << outcome.error().message();
    world.run_for(1s);
    ASSERT_EQ(policy.ended.size(), 1U);
    ASSERT_FALSE(policy.ended.front());
    EXPECT_TRUE(policy.ended.front().error().is(causes::kTls))
        << policy.ended.front().error().message();
}

TEST_F(HandshakeTest, AResumedConnectionIsCheckedAgain) {
    resumption = tls::make_resumption_store();
    start();
    serve_echo();
    for (const bool resumed : {false, true, true}) {
        auto connection = dial();
        ASSERT_TRUE(connection) << connection.error().message();
        EXPECT_EQ((*connection)->info().peer.resumed, resumed);
        EXPECT_EQ((*connection)->info().peer.key, policy.context->key().id());
        world.run_for(1s);
        (*connection)->close(0, "");
    }
    auto options = target();
    options.tls.verify = other_pin();
    const auto outcome = dial(std::move(options));
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kPeerKeyMismatch));
}

TEST_F(HandshakeTest, NobodyThere) {
    start_client();
    auto options = target();
    options.remote = server_host.v4(9);
    const auto outcome = dial(options);
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kUnreachable)) << outcome.error().message();
}

TEST_F(HandshakeTest, SilenceEndsInAHandshakeTimeout) {
    start();
    world.set_cut(client_host, server_host, true);
    const auto begin = world.now();
    const auto outcome = dial();
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kHandshakeTimeout)) << outcome.error().message();
    EXPECT_GE(world.now() - begin, 10s);
    EXPECT_EQ(client->stats().connections, 0U);
}

TEST_F(HandshakeTest, AClientThatFallsSilentCostsTheServerItsTimeoutOnly) {
    policy.transport.handshake_timeout = 4s;
    start();
    std::optional<result<std::shared_ptr<Connection>>> outcome;
    client_tasks->spawn(keep(client->connect(target()), outcome), "dial");
    ASSERT_TRUE(until([&] { return server->stats().half_open == 1; }));
    client_host.pause();
    world.run_for(5s);
    EXPECT_EQ(server->stats().half_open, 0U);
    EXPECT_EQ(server->stats().connections, 0U);
    ASSERT_EQ(policy.ended.size(), 1U);
    ASSERT_FALSE(policy.ended.front());
    EXPECT_TRUE(policy.ended.front().error().is(causes::kHandshakeTimeout));
    client_host.resume();
}

TEST_F(HandshakeTest, ACancelledDialLeavesNothingBehind) {
    start();
    cut_answers();
    const auto outcome = run(with_timeout(milliseconds(500), client->connect(target())));
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kTimeout));
    world.run_for(15s);
    EXPECT_EQ(client->stats().connections, 0U);
    EXPECT_EQ(server->stats().connections, 0U);
    EXPECT_EQ(server->stats().half_open, 0U);
    EXPECT_EQ(policy.ended.size(), policy.asked.size());
}

// ---- versions ----

TransportOptions versions(std::vector<Version> list) {
    TransportOptions options;
    options.versions = std::move(list);
    return options;
}

TEST_F(HandshakeTest, TheServersPreferenceForV2IsFollowed) {
    policy.transport = versions({Version::v2, Version::v1});
    start();
    connect();
    EXPECT_EQ(pair.client->info().quic_version, "v2");
    EXPECT_EQ(pair.server->info().quic_version, "v2");
}

TEST_F(HandshakeTest, AClientMayBeginWithV2) {
    start(versions({Version::v2}));
    connect();
    EXPECT_EQ(pair.client->info().quic_version, "v2");
    EXPECT_EQ(pair.server->info().quic_version, "v2");
}

TEST_F(HandshakeTest, VersionNegotiationFindsTheOneInCommon) {
    policy.transport = versions({Version::v2});
    auto options = server_options();
    options.transport = policy.transport;
    server = make_endpoint(*server_process, server_host.v4(kPort), std::move(options));
    start_client();
    connect();
    EXPECT_EQ(pair.client->info().quic_version, "v2");
    EXPECT_EQ(server->stats().version_negotiations_sent, 1U);
}

TEST_F(HandshakeTest, WithoutACommonVersionTheDialSaysSo) {
    auto options = server_options();
    options.transport = policy.transport = versions({Version::v1});
    server = make_endpoint(*server_process, server_host.v4(kPort), std::move(options));
    start_client(versions({Version::v2}));
    const auto outcome = dial();
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kVersionMismatch)) << outcome.error().message();
}

// ---- admission ----

TEST_F(HandshakeTest, RetryProvesTheAddress) {
    policy.admission = [](const Incoming& incoming) {
        return incoming.validated ? Admission::accept : Admission::retry;
    };
    connect();
    EXPECT_EQ(server->stats().retries_sent, 1U);
    ASSERT_EQ(policy.asked.size(), 2U);
    EXPECT_FALSE(policy.asked[0].validated);
    EXPECT_TRUE(policy.asked[1].validated);
    EXPECT_EQ(policy.ended.size(), 1U);
}

TEST_F(HandshakeTest, RetryWorksInV2AndAfterVersionNegotiation) {
    policy.admission = [](const Incoming& incoming) {
        return incoming.validated ? Admission::accept : Admission::retry;
    };
    auto options = server_options();
    options.transport = policy.transport = versions({Version::v2});
    server = make_endpoint(*server_process, server_host.v4(kPort), std::move(options));
    start_client();
    connect();
    EXPECT_EQ(pair.client->info().quic_version, "v2");
    EXPECT_EQ(server->stats().retries_sent, 1U);
}

TEST_F(HandshakeTest, AClientIsAskedToRetryOnlyOnce) {
    policy.admission = [](const Incoming&) { return Admission::retry; };
    start();
    const auto outcome = dial();
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kUnreachable)) << outcome.error().message();
}

TEST_F(HandshakeTest, RefusalIsSaidAndIgnoranceIsNot) {
    start();
    policy.admission = [](const Incoming&) { return Admission::refuse; };
    const auto refused = dial();
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kUnreachable)) << refused.error().message();
    policy.admission = [](const Incoming&) { return Admission::ignore; };
    const auto ignored = dial();
    ASSERT_FALSE(ignored);
    EXPECT_TRUE(ignored.error().is(causes::kHandshakeTimeout));
    EXPECT_TRUE(policy.ended.empty());
    EXPECT_GT(server->stats().datagrams_dropped, 1U);
}

TEST_F(HandshakeTest, ATokenFromAnEarlierConnectionProvesTheAddressAcrossARestart) {
    resumption = tls::make_resumption_store();
    connect();
    world.run_for(1s);
    pair.client->close(0, "");
    world.run_for(5s);
    pair = {};
    server.reset();
    policy.asked.clear();
    start_server();
    connect();
    ASSERT_EQ(policy.asked.size(), 1U);
    EXPECT_TRUE(policy.asked.front().validated);

    // A secret that is not the one which made the token: as if there were none.
    world.run_for(1s);
    pair.client->close(0, "");
    world.run_for(5s);
    pair = {};
    server.reset();
    policy.asked.clear();
    secrets = make_secrets();
    start_server();
    connect();
    ASSERT_EQ(policy.asked.size(), 1U);
    EXPECT_FALSE(policy.asked.front().validated);
}

TEST_F(HandshakeTest, HalfOpenHandshakesHaveAnAbsoluteLimit) {
    auto options = server_options();
    options.half_open_max = 3;
    server = make_endpoint(*server_process, server_host.v4(kPort), std::move(options));
    start_client();
    cut_answers();
    std::vector<std::optional<result<std::shared_ptr<Connection>>>> outcomes(8);
    for (auto& outcome : outcomes) {
        client_tasks->spawn(keep(client->connect(target()), outcome), "dial");
    }
    world.run_for(2s);
    EXPECT_EQ(server->stats().half_open, 3U);
    EXPECT_EQ(policy.asked.size(), 3U);
    world.run_for(30s);
    EXPECT_EQ(server->stats().half_open, 0U);
    for (const auto& outcome : outcomes) {
        ASSERT_TRUE(outcome);
        EXPECT_FALSE(*outcome);
    }
}

TEST_F(HandshakeTest, ConnectionsHaveAnAbsoluteLimitOnBothSides) {
    auto options = server_options();
    options.connections_max = 2;
    server = make_endpoint(*server_process, server_host.v4(kPort), std::move(options));
    EndpointOptions own;
    own.connections_max = 3;
    client = make_endpoint(*client_process, client_host.v4(0), own);
    auto first = dial();
    auto second = dial();
    ASSERT_TRUE(first && second);
    const auto third = dial();
    ASSERT_FALSE(third);
    EXPECT_TRUE(third.error().is(causes::kHandshakeTimeout)) << third.error().message();
    std::optional<result<std::shared_ptr<Connection>>> waiting;
    client_tasks->spawn(keep(client->connect(target()), waiting), "dial");
    world.run_for(1s);
    const auto over = dial();
    ASSERT_FALSE(over);
    EXPECT_TRUE(over.error().is(causes::kLimit)) << over.error().message();
    world.run_for(20s);
    EXPECT_TRUE(waiting);
}

TEST_F(HandshakeTest, SeveralConnectionsShareOneSocket) {
    serve_echo();
    start_client();
    std::vector<std::shared_ptr<Connection>> connections;
    for (int i = 0; i < 20; ++i) {
        connections.push_back(dial().value());
    }
    EXPECT_EQ(client->stats().connections, 20U);
    for (const auto& connection : connections) {
        connection->close(0, "");
    }
    world.run_for(5s);
    EXPECT_EQ(client->stats().connections, 0U);
}

TEST_F(HandshakeTest, OverIPv6) {
    server = make_endpoint(*server_process, server_host.v6(kPort), server_options());
    client = make_endpoint(*client_process, client_host.v6(0), {});
    auto options = target();
    options.remote = server_host.v6(kPort);
    auto connection = dial(options);
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_EQ((*connection)->remote(), server_host.v6(kPort));
}

TEST_F(HandshakeTest, OnWildcardSocketsThePathIsExact) {
    const auto any4 = SocketAddress::v4({}, 0);
    server = make_endpoint(*server_process, any4.with_port(kPort), server_options());
    client = make_endpoint(*client_process, any4, {});
    connect();
    EXPECT_EQ(pair.server->info().local, server_host.v4(kPort));
    EXPECT_EQ(pair.client->info().local, client_host.v4(client->local_address().port()));
    world.run_for(1s);
    auto stream = run(pair.client->open_uni());
    ASSERT_TRUE(run(write_all(**stream, "x")));
    auto accepted = run_on(*server_process, pair.server->accept_uni());
    EXPECT_EQ(run_on(*server_process, read_all(**accepted)).value(), "x");
}

TEST_F(HandshakeTest, ConnectionIdsNameTheLoop) {
    auto options = server_options();
    options.loop_index = 2;
    options.loop_count = 3;
    server = make_endpoint(*server_process, server_host.v4(kPort), std::move(options));
    start_client();
    connect();
    EXPECT_FALSE(pair.client->close_reason());
}

}  // namespace
}  // namespace alknet::quic
