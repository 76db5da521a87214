#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

class CloseTest : public QuicTest {};

TEST_F(CloseTest, CodeAndReasonReachTheOtherSide) {
    connect();
    pair.client->close(42, "because");
    EXPECT_TRUE(pair.client->closed().requested()) << "for us it ends at once";
    pair.client->close(43, "the first code stands");
    ASSERT_TRUE(run_on(*server_process, pair.server->wait_closed()));
    const auto reason = pair.server->close_reason();
    ASSERT_TRUE(reason);
    EXPECT_TRUE(reason->is(causes::kClosed));
    EXPECT_EQ(reason->code(), 42U);
    EXPECT_EQ(reason->detail(), "because");
    EXPECT_EQ(pair.client->close_reason()->code(), 42U);
    EXPECT_TRUE(pair.server->closed().requested());
}

TEST_F(CloseTest, ReasonsOfStrangersAreMadePrintable) {
    connect();
    pair.client->close(1, "\x1b[31mred\n");
    ASSERT_TRUE(run_on(*server_process, pair.server->wait_closed()));
    EXPECT_EQ(pair.server->close_reason()->detail(), "?[31mred?");
}

TEST_F(CloseTest, EveryWaitEndsWithTheReason) {
    connect();
    std::optional<result<std::unique_ptr<BiStream>>> accepting;
    std::optional<result<std::unique_ptr<RecvStream>>> accepting_uni;
    std::optional<result<Bytes>> receiving;
    server_tasks->spawn(keep(pair.server->accept_bi(), accepting), "a");
    server_tasks->spawn(keep(pair.server->accept_uni(), accepting_uni), "b");
    server_tasks->spawn(keep(pair.server->recv_datagram(), receiving), "c");
    world.run_for(1s);
    EXPECT_FALSE(accepting);
    pair.client->close(6, "");
    ASSERT_TRUE(until([&] { return accepting && accepting_uni && receiving; }));
    EXPECT_EQ(accepting->error().code(), 6U);
    EXPECT_EQ(accepting_uni->error().code(), 6U);
    EXPECT_EQ(receiving->error().code(), 6U);
    const auto opened = run_on(*server_process, pair.server->open_bi());
    ASSERT_FALSE(opened);
    EXPECT_TRUE(opened.error().is(causes::kClosed));
}

TEST_F(CloseTest, ThePacketIsRepeatedWhenItWasLost) {
    connect();
    // The server goes on sending into a connection whose close it did not hear.
    auto stream = run_on(*server_process, pair.server->open_uni());
    ASSERT_TRUE(stream);
    world.set_cut(client_host, server_host, true);
    pair.client->close(12, "");
    world.run_for(1ms);
    world.set_cut(client_host, server_host, false);
    ASSERT_TRUE(run_on(*server_process, write_all(**stream, "hello?")));
    ASSERT_TRUE(until([&] { return pair.server->close_reason().has_value(); }, 1s));
    EXPECT_EQ(pair.server->close_reason()->code(), 12U);
}

TEST_F(CloseTest, AClosedConnectionIsForgottenAfterThreeProbeTimeouts) {
    connect();
    EXPECT_EQ(client->stats().connections, 1U);
    pair.client->close(0, "");
    world.run_for(100ms);
    EXPECT_EQ(client->stats().connections, 1U) << "closing";
    EXPECT_EQ(server->stats().connections, 1U) << "draining";
    world.run_for(5s);
    EXPECT_EQ(client->stats().connections, 0U);
    EXPECT_EQ(server->stats().connections, 0U);
}

TEST_F(CloseTest, WithCodeZeroWhatWasFinishedIsStillDelivered) {
    connect();
    auto stream = run(pair.client->open_uni());
    ASSERT_TRUE(stream);
    ASSERT_TRUE(run(write_all(**stream, pattern(900'000))));
    (*stream).reset();
    pair.client->close(0, "done");
    EXPECT_TRUE(pair.client->close_reason());
    auto accepted = run_on(*server_process, pair.server->accept_uni());
    ASSERT_TRUE(accepted);
    const auto text = run_on(*server_process, read_all(**accepted));
    ASSERT_TRUE(text) << text.error().message();
    EXPECT_EQ(*text, pattern(900'000));
    ASSERT_TRUE(run_on(*server_process, pair.server->wait_closed()));
    EXPECT_EQ(pair.server->close_reason()->detail(), "done");
    ASSERT_TRUE(until([&] { return client->stats().connections == 0; }, 5s));
}

TEST_F(CloseTest, DeliveryAfterACloseHasALimit) {
    policy.transport.stream_window_bytes = 10'000;
    connect();
    auto stream = run(pair.client->open_uni());
    ASSERT_TRUE(stream);
    ASSERT_TRUE(run(write_all(**stream, pattern(100'000))));  // and nobody reads it
    pair.client->close(0, "");
    world.run_for(4s);
    EXPECT_FALSE(pair.server->close_reason());
    world.run_for(2s);
    EXPECT_TRUE(pair.server->close_reason());
}

TEST_F(CloseTest, DroppingTheLastReferenceClosesWithCodeZero) {
    connect();
    auto stream = run(pair.client->open_bi());
    ASSERT_TRUE(stream);
    pair.client.reset();
    world.run_for(1s);
    EXPECT_FALSE(pair.server->close_reason()) << "a stream of it is still held";
    (*stream).reset();
    ASSERT_TRUE(run_on(*server_process, pair.server->wait_closed()));
    EXPECT_TRUE(pair.server->close_reason()->is(causes::kClosed));
    EXPECT_EQ(pair.server->close_reason()->code(), 0U);
}

TEST_F(CloseTest, IdleConnectionsEndOnBothSides) {
    TransportOptions transport;
    transport.idle_timeout = 20s;
    start(transport);
    connect();
    world.run_for(19s);
    EXPECT_FALSE(pair.client->close_reason());
    world.run_for(2s);
    ASSERT_TRUE(pair.client->close_reason());
    EXPECT_TRUE(pair.client->close_reason()->is(causes::kIdleTimeout));
    ASSERT_TRUE(pair.server->close_reason()) << "the lower of the two timeouts counts";
    EXPECT_TRUE(pair.server->close_reason()->is(causes::kIdleTimeout));
    EXPECT_EQ(server->stats().connections, 0U);
}

TEST_F(CloseTest, KeepAliveKeepsIt) {
    TransportOptions transport;
    transport.idle_timeout = 20s;
    transport.keep_alive = 8s;
    start(transport);
    connect();
    world.run_for(5min);
    EXPECT_FALSE(pair.client->close_reason());
    EXPECT_FALSE(pair.server->close_reason());
}

TEST_F(CloseTest, ADeadPeerIsNoticedByTheIdleTimeout) {
    TransportOptions transport;
    transport.idle_timeout = 20s;
    start(transport);
    connect();
    server_host.pause();
    auto stream = run(pair.client->open_bi());
    ASSERT_TRUE(stream);
    const auto text = run(read_all(**stream));
    ASSERT_FALSE(text);
    EXPECT_TRUE(text.error().is(causes::kIdleTimeout));
    server_host.resume();
}

TEST_F(CloseTest, TheEndpointMayDieFirst) {
    connect();
    auto stream = run(pair.client->open_bi());
    ASSERT_TRUE(stream);
    std::optional<result<void>> outcome;
    client_tasks->spawn(keep(pair.client->wait_closed(), outcome), "waiter");
    world.run_for(1s);
    client.reset();
    ASSERT_TRUE(until([&] { return outcome.has_value(); }));
    ASSERT_TRUE(pair.client->close_reason());
    EXPECT_TRUE(pair.client->close_reason()->is(causes::kClosed));
    EXPECT_FALSE(run((*stream)->finish()));
    EXPECT_FALSE(run(pair.client->open_bi()));
    EXPECT_FALSE(pair.client->send_datagram(as_bytes("x")));
    EXPECT_FALSE(pair.client->initiate_key_update());
    EXPECT_EQ(pair.client->datagram_bytes_max(), 0U);
    EXPECT_EQ(pair.client->stats().streams_total, 1U);
    pair.client->set_stream_limits(1, 1);
    pair.client->close(0, "");
    Bytes keying(32);
    EXPECT_TRUE(pair.client->export_keying_material("EXPORTER-test", {}, keying));
}

task<result<void>> shut_down(Endpoint& endpoint) {
    co_await endpoint.shutdown(7, "bye");
    co_return result<void>{};
}

TEST_F(CloseTest, ShutdownClosesEverythingAndWaitsForIt) {
    connect();
    auto second = dial();
    ASSERT_TRUE(second);
    std::optional<result<std::shared_ptr<Connection>>> accepting;
    auto taken = run_on(*server_process, server->accept());
    server_tasks->spawn(keep(server->accept(), accepting), "accept");
    world.run_for(1s);
    ASSERT_TRUE(run_on(*server_process, shut_down(*server)));
    EXPECT_EQ(server->stats().connections, 0U);
    ASSERT_TRUE(accepting);
    EXPECT_TRUE(accepting->error().is(causes::kShuttingDown));
    for (const auto& connection : {pair.client, *second}) {
        ASSERT_TRUE(run(connection->wait_closed()));
        EXPECT_EQ(connection->close_reason()->code(), 7U);
        EXPECT_EQ(connection->close_reason()->detail(), "bye");
    }
}

TEST_F(CloseTest, WhileStoppedNewConnectionsAreRefusedAndOldOnesLive) {
    connect();
    server->stop_accepting();
    const auto refused = dial();
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kUnreachable)) << refused.error().message();
    auto stream = run(pair.client->open_uni());
    ASSERT_TRUE(stream);
    ASSERT_TRUE(run(write_all(**stream, "still on")));
    auto accepted = run_on(*server_process, pair.server->accept_uni());
    EXPECT_EQ(run_on(*server_process, read_all(**accepted)).value(), "still on");
}

TEST_F(CloseTest, AHandshakeThatEndsWhileStoppedIsClosedWithTheShutdownCode) {
    start();
    std::optional<result<std::shared_ptr<Connection>>> dialled;
    client_tasks->spawn(keep(client->connect(target()), dialled), "dial");
    ASSERT_TRUE(until([&] { return server->stats().half_open == 1; }));
    server->stop_accepting();
    ASSERT_TRUE(until([&] { return dialled.has_value(); }));
    ASSERT_TRUE(*dialled);
    ASSERT_TRUE(run((**dialled)->wait_closed()));
    EXPECT_EQ((**dialled)->close_reason()->code(), close_code::kShutdown);
}

TEST_F(CloseTest, TheCodeIsNotOvertakenByTheResetsOfItsStreams) {
    connect();
    auto opened = run(pair.client->open_bi());
    ASSERT_TRUE(opened);
    auto accepted = run_on(*server_process, pair.server->accept_bi());
    ASSERT_TRUE(accepted);
    std::optional<result<std::string>> read;
    server_tasks->spawn(keep(read_all(**accepted), read), "reader");
    world.run_for(1s);
    pair.client->close(5, "");
    (*opened).reset();
    ASSERT_TRUE(until([&] { return read.has_value(); }));
    ASSERT_FALSE(*read);
    EXPECT_TRUE(read->error().is(causes::kClosed)) << read->error().message();
    EXPECT_EQ(read->error().code(), 5U);
}

TEST_F(CloseTest, AClientThatClosesAtOnceHasStillShakenHands) {
    start();
    auto connection = dial();
    ASSERT_TRUE(connection);
    (*connection)->close(0, "only looking");
    world.run_for(1s);
    ASSERT_EQ(policy.ended.size(), 1U);
    EXPECT_TRUE(policy.ended.front());
    auto accepted = run_on(*server_process, server->accept());
    ASSERT_TRUE(accepted);
    EXPECT_EQ((*accepted)->close_reason()->detail(), "only looking");
}

TEST_F(CloseTest, AFullSocketDoesNotHoldUpAShutdown) {
    connect();
    std::optional<result<void>> written;
    auto stream = run(pair.client->open_uni());
    ASSERT_TRUE(stream);
    client_host.set_send_blocked(1.0);
    client_tasks->spawn(keep(write_all(**stream, pattern(500'000)), written), "writer");
    world.run_for(100ms);
    const auto begin = world.now();
    ASSERT_TRUE(run(shut_down(*client)));
    EXPECT_LT(world.now() - begin, 3s);
}

TEST_F(CloseTest, AShutdownClientSaysSo) {
    connect();
    ASSERT_TRUE(run(shut_down(*client)));
    const auto refused = dial();
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kShuttingDown));
}

}  // namespace
}  // namespace alknet::quic
