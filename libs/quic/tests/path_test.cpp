#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

class PathTest : public QuicTest {
protected:
    static task<result<void>> update_keys(std::shared_ptr<Connection> connection) {
        co_return connection->initiate_key_update();
    }
    task<result<std::string>> ask(std::shared_ptr<Connection> connection, std::string question) {
        ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
        ALKNET_CO_CHECK(co_await write_all(*stream, std::move(question)));
        co_return co_await read_all(*stream);
    }
    std::string echo(const std::shared_ptr<Connection>& connection, std::string text) {
        const auto answer = run(ask(connection, std::move(text)));
        return answer ? *answer : answer.error().message();
    }
    std::unique_ptr<net::UdpSocket> new_socket() {
        return client_process->network()
            ->bind_udp(client_process->loop(), client_host.add_v4_address(), {})
            .value();
    }
    /// Both ends, and an echo on the server's.
    void connect_echo() {
        connect();
        server_tasks->spawn(echo_streams(pair.server, server_process->loop()), "echo");
    }
};

// ---- keys ----

TEST_F(PathTest, KeysAreUpdatedFromEitherSide) {
    connect_echo();
    world.run_for(1s);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(run(update_keys(pair.client)));
        EXPECT_EQ(echo(pair.client, "after an update"), "after an update");
        world.run_for(5s);
        ASSERT_TRUE(run_on(*server_process, update_keys(pair.server)));
        EXPECT_EQ(echo(pair.client, "after another"), "after another");
        world.run_for(5s);
    }
}

/// The server has nothing to send but acknowledgements, which nobody confirms.
TEST_F(PathTest, KeysAreUpdatedAfterBothSidesDidSoAtOnce) {
    connect_echo();
    world.run_for(1s);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(run(update_keys(pair.client))) << i;
        ASSERT_TRUE(run_on(*server_process, update_keys(pair.server))) << i;
        ASSERT_TRUE(pair.client->send_datagram(as_bytes("something to acknowledge")));
        world.run_for(2s);
        ASSERT_TRUE(run(update_keys(pair.client))) << i;
        EXPECT_EQ(echo(pair.client, "after the next one"), "after the next one");
        world.run_for(2s);
    }
}

TEST_F(PathTest, TwoKeyUpdatesInARowAreTooMany) {
    connect_echo();
    world.run_for(1s);
    ASSERT_TRUE(pair.client->initiate_key_update());
    const auto second = pair.client->initiate_key_update();
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(causes::kLimit));
}

TEST_F(PathTest, AKeyUpdateRightAfterTheHandshakeIsAnErrorAtMost) {
    start();
    auto connection = dial();
    ASSERT_TRUE(connection);
    const auto outcome = (*connection)->initiate_key_update();
    if (!outcome) {
        EXPECT_TRUE(outcome.error().is(causes::kLimit));
    }
}

// ---- migration ----

TEST_F(PathTest, AClientMovesToOtherSockets) {
    connect_echo();
    EXPECT_EQ(echo(pair.client, "at home"), "at home");
    world.run_for(1s);
    for (int i = 0; i < 5; ++i) {
        auto socket = new_socket();
        const SocketAddress address = socket->local_address();
        const auto moved = pair.client->migrate(std::move(socket));
        ASSERT_TRUE(moved) << moved.error().message();
        EXPECT_EQ(echo(pair.client, pattern(50'000)), pattern(50'000));
        EXPECT_EQ(pair.server->remote(), address);
        world.run_for(5s);
    }
    EXPECT_LE(client_process->sockets(), 3U) << "old sockets are given up";
    pair.client->close(0, "");
    world.run_for(5s);
    EXPECT_EQ(client_process->sockets(), 1U);
}

TEST_F(PathTest, MovesWhileDataFlow) {
    connect_echo();
    world.run_for(1s);
    std::optional<result<std::string>> answer;
    client_tasks->spawn(keep(ask(pair.client, pattern(1 << 20)), answer), "transfer");
    for (int i = 0; i < 3; ++i) {
        world.run_for(100ms);
        auto socket = new_socket();
        (void)pair.client->migrate(std::move(socket));
    }
    ASSERT_TRUE(until([&] { return answer.has_value(); }));
    ASSERT_TRUE(*answer) << answer->error().message();
    EXPECT_EQ(**answer, pattern(1 << 20));
}

TEST_F(PathTest, MovesAwayFromASocketThatIsFull) {
    connect_echo();
    world.run_for(1s);
    ASSERT_TRUE(pair.client->migrate(new_socket()));
    EXPECT_EQ(echo(pair.client, "there"), "there");
    world.run_for(1s);
    // The packets that wait for the full socket must not wait for ever when it is given up.
    client_host.set_send_blocked(1.0);
    std::optional<result<std::string>> answer;
    client_tasks->spawn(keep(ask(pair.client, pattern(50'000)), answer), "transfer");
    world.run_for(100ms);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(pair.client->migrate(new_socket()));
        world.run_for(10ms);
    }
    client_host.set_send_blocked(0);
    ASSERT_TRUE(until([&] { return answer.has_value(); }, minutes(2)));
    ASSERT_TRUE(*answer) << answer->error().message();
    EXPECT_EQ(**answer, pattern(50'000));
}

TEST_F(PathTest, WithoutSpareConnectionIdsAMoveIsRefused) {
    connect();
    // The server's answers, with fresh ids, do not arrive.
    world.run_for(1s);
    cut_answers();
    result<void> outcome;
    int moves = 0;
    while (outcome && moves < 20) {
        auto socket = new_socket();
        outcome = pair.client->migrate(std::move(socket));
        ++moves;
        world.run_for(10ms);
    }
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kLimit)) << outcome.error().message();
    EXPECT_GT(moves, 3);
}

TEST_F(PathTest, OnlyTheDiallingSideMoves) {
    connect();
    auto socket = new_socket();
    const auto outcome = pair.server->migrate(std::move(socket));
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kNotSupported));
}

TEST_F(PathTest, ANatThatForgetsIsFollowed) {
    client_host.put_behind_nat();
    start_server();
    EndpointOptions options;
    client = make_endpoint(*client_process, SocketAddress::v4({}, 0), options);
    connect_echo();
    EXPECT_EQ(echo(pair.client, "one"), "one");
    const SocketAddress before = pair.server->remote();
    for (const auto change : {sim::SimHost::NatChange::port, sim::SimHost::NatChange::address}) {
        client_host.rebind_nat(change);
        EXPECT_EQ(echo(pair.client, pattern(200'000)), pattern(200'000));
        EXPECT_NE(pair.server->remote(), before);
        world.run_for(2s);
    }
}

// ---- stateless reset ----

TEST_F(PathTest, AServerThatRestartedSaysThatItHasForgotten) {
    connect_echo();
    EXPECT_EQ(echo(pair.client, "one"), "one");
    auto second = dial();
    ASSERT_TRUE(second);
    world.run_for(5s);
    pair.server.reset();
    server_tasks = std::make_unique<TaskScope>(server_process->loop());
    server.reset();
    start_server();
    const auto begin = world.now();
    const auto answer = run(ask(pair.client, "two"));
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().is(causes::kStatelessReset)) << answer.error().message();
    EXPECT_LT(world.now() - begin, 2s);
    EXPECT_GE(server->stats().stateless_resets_sent, 1U);
    EXPECT_FALSE((*second)->close_reason()) << "only the connection that asked";
    EXPECT_FALSE(run(ask(*second, "two")));
    EXPECT_TRUE((*second)->close_reason()->is(causes::kStatelessReset));
    // And it serves as before.
    EXPECT_TRUE(dial());
}

TEST_F(PathTest, AResetUnderAnotherSecretIsNotBelieved) {
    TransportOptions transport;
    transport.idle_timeout = 20s;
    start(transport);
    connect_echo();
    pair.server.reset();
    server_tasks = std::make_unique<TaskScope>(server_process->loop());
    server.reset();
    secrets = make_secrets();
    start_server();
    const auto answer = run(ask(pair.client, "two"));
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().is(causes::kIdleTimeout)) << answer.error().message();
}

TEST_F(PathTest, ADiallerThatServesTooCanResetOnceItHasMoved) {
    start_server();
    TestPolicy own;
    own.context = shared_client_context();
    EndpointOptions options;
    options.server = &own;
    options.secrets = make_secrets();
    client = make_endpoint(*client_process, client_host.v4(kPort), options);
    connect_echo();
    world.run_for(1s);
    // The id that a client begins with has no reset token; the one that the server uses on another
    // path has.
    auto socket = new_socket();
    const SocketAddress moved = socket->local_address();
    ASSERT_TRUE(pair.client->migrate(std::move(socket)));
    EXPECT_EQ(echo(pair.client, "here"), "here");
    world.run_for(1s);
    pair.client.reset();
    client.reset();
    client = make_endpoint(*client_process, moved, options);
    auto stream = run_on(*server_process, pair.server->open_bi());
    ASSERT_TRUE(stream);
    ASSERT_TRUE(run_on(*server_process, pair.server->wait_closed()));
    EXPECT_TRUE(pair.server->close_reason()->is(causes::kStatelessReset))
        << pair.server->close_reason()->message();
    stream->reset();
    client.reset();
}

// ---- what the path carries ----

TEST_F(PathTest, TheLargestPacketThatFitsIsFound) {
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(300'000)), pattern(300'000));
    world.run_for(5s);
    EXPECT_GT(pair.client->datagram_bytes_max(), 1400U);
    EXPECT_GT(pair.server->datagram_bytes_max(), 1400U);
}

TEST_F(PathTest, ANarrowPathIsFoundToo) {
    sim::LinkOptions link;
    link.udp_payload_bytes_max = 1350;
    world.set_all_links(link);
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(300'000)), pattern(300'000));
    world.run_for(20s);
    EXPECT_LT(pair.client->datagram_bytes_max(), 1350U);
    EXPECT_GT(pair.client->datagram_bytes_max(), 1250U);
}

TEST_F(PathTest, TheSmallestPathOfAllWorks) {
    sim::LinkOptions link;
    link.udp_payload_bytes_max = 1200;
    world.set_all_links(link);
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(300'000)), pattern(300'000));
}

TEST_F(PathTest, APathThatBecomesNarrowerIsSurvived) {
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(300'000)), pattern(300'000));
    world.run_for(5s);
    sim::LinkOptions link;
    link.udp_payload_bytes_max = 1300;  // larger packets vanish without a word
    world.set_all_links(link);
    const auto begin = world.now();
    EXPECT_EQ(echo(pair.client, pattern(300'000)), pattern(300'000));
    EXPECT_LT(world.now() - begin, 5s);
    EXPECT_LT(pair.client->datagram_bytes_max(), 1200U);
}

TEST_F(PathTest, ANarrowerInterfaceIsNoticedAtOnce) {
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(300'000)), pattern(300'000));
    world.run_for(5s);
    client_host.set_udp_payload_bytes_max(1300);
    const auto begin = world.now();
    EXPECT_EQ(echo(pair.client, pattern(300'000)), pattern(300'000));
    EXPECT_LT(world.now() - begin, 2s);
    EXPECT_LT(pair.client->datagram_bytes_max(), 1200U);
    EXPECT_GT(pair.server->datagram_bytes_max(), 1400U);
}

TEST_F(PathTest, AnInterfaceThatWasAlwaysNarrowCostsNothing) {
    client_host.set_udp_payload_bytes_max(1410);
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(300'000)), pattern(300'000));
    world.run_for(20s);
    EXPECT_GT(pair.client->datagram_bytes_max(), 1340U) << "probes that do not fit prove nothing";
}

TEST_F(PathTest, LargePacketsWhereThePathTakesThem) {
    sim::LinkOptions link;
    link.udp_payload_bytes_max = 9000;
    world.set_all_links(link);
    client_host.set_udp_payload_bytes_max(9000);
    server_host.set_udp_payload_bytes_max(9000);
    TransportOptions transport;
    transport.udp_payload_bytes_max = 8900;
    policy.transport = transport;
    start(transport);
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(1 << 20)), pattern(1 << 20));
    EXPECT_GT(pair.client->datagram_bytes_max(), 8800U);
}

TEST_F(PathTest, CongestionMarksSlowDownAndBreakNothing) {
    sim::LinkOptions link;
    link.congestion = 0.05;
    world.set_all_links(link);
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(1 << 20)), pattern(1 << 20));
}

TEST_F(PathTest, FullSocketsAreWaitedFor) {
    client_host.set_send_blocked(0.3);
    server_host.set_send_blocked(0.3);
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(1 << 20)), pattern(1 << 20));
}

TEST_F(PathTest, WithoutOffloadEveryPacketGoesAlone) {
    client_host.set_offload(false);
    server_host.set_offload(false);
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(1 << 20)), pattern(1 << 20));
}

TEST_F(PathTest, CubicWorksToo) {
    TransportOptions transport;
    transport.congestion = Congestion::cubic;
    policy.transport = transport;
    start(transport);
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(1 << 20)), pattern(1 << 20));
}

// ---- faults ----

struct Fault {
    std::string name;
    sim::LinkOptions link;
};

class FaultTest : public PathTest, public testing::WithParamInterface<int> {
protected:
    static std::vector<Fault> faults() {
        sim::LinkOptions loss;
        loss.loss = 0.2;
        sim::LinkOptions duplicate;
        duplicate.duplicate = 0.3;
        sim::LinkOptions reorder;
        reorder.reorder = 0.3;
        sim::LinkOptions corrupt;
        corrupt.corrupt = 0.1;
        sim::LinkOptions all;
        all.loss = all.duplicate = all.reorder = 0.1;
        all.corrupt = 0.02;
        all.jitter = 10ms;
        return {{"loss", loss},
                {"duplicates", duplicate},
                {"reordering", reorder},
                {"bit flips", corrupt},
                {"all", all}};
    }
};

TEST_P(FaultTest, EveryOctetArrivesOnce) {
    const Fault fault = faults().at(static_cast<std::size_t>(GetParam()));
    SCOPED_TRACE(fault.name);
    world.set_all_links(fault.link);
    connect_echo();
    EXPECT_EQ(echo(pair.client, pattern(500'000)), pattern(500'000));
    EXPECT_TRUE(until([&] { return pair.client->stats().buffered_bytes == 0; }, 10s));
}

INSTANTIATE_TEST_SUITE_P(Links, FaultTest, testing::Range(0, 5));

}  // namespace
}  // namespace alknet::quic
