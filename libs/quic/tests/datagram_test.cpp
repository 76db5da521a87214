#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

class DatagramTest : public QuicTest {};

TEST_F(DatagramTest, GoBothWays) {
    connect();
    ASSERT_TRUE(pair.client->send_datagram(as_bytes("ping")));
    EXPECT_EQ(as_text(run_on(*server_process, pair.server->recv_datagram()).value()), "ping");
    ASSERT_TRUE(pair.server->send_datagram(as_bytes("pong")));
    EXPECT_EQ(as_text(run(pair.client->recv_datagram()).value()), "pong");
    EXPECT_EQ(pair.client->stats().bytes_sent, 4U);
    EXPECT_EQ(pair.client->stats().bytes_received, 4U);
}

TEST_F(DatagramTest, TheLargestOneFitsAndALargerOneIsRefused) {
    connect();
    world.run_for(2s);
    const std::size_t largest = pair.client->datagram_bytes_max();
    ASSERT_GT(largest, 1100U);
    ASSERT_TRUE(pair.client->send_datagram(as_bytes(pattern(largest))));
    EXPECT_EQ(as_text(run_on(*server_process, pair.server->recv_datagram()).value()),
              pattern(largest));
    const auto refused = pair.client->send_datagram(as_bytes(pattern(largest + 1)));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kLimit));
    ASSERT_TRUE(pair.client->send_datagram({}));
    EXPECT_TRUE(run_on(*server_process, pair.server->recv_datagram()).value().empty());
}

TEST_F(DatagramTest, ThePeerMayNotWantAny) {
    policy.transport.offer_datagrams = false;
    connect();
    EXPECT_EQ(pair.client->datagram_bytes_max(), 0U);
    const auto refused = pair.client->send_datagram(as_bytes("x"));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kNotSupported));
    ASSERT_TRUE(pair.server->send_datagram(as_bytes("the other way works")));
    EXPECT_TRUE(run(pair.client->recv_datagram()));
}

TEST_F(DatagramTest, BothQueuesAreBounded) {
    TransportOptions transport;
    transport.datagram_queue_max = 10;
    start(transport);
    policy.transport.datagram_queue_max = 4;
    connect();
    int accepted = 0;
    result<void> outcome;
    while (accepted < 100) {
        outcome = pair.client->send_datagram(as_bytes("x"));
        if (!outcome) {
            break;
        }
        ++accepted;
    }
    EXPECT_EQ(accepted, 10);
    EXPECT_TRUE(outcome.error().is(causes::kLimit));
    EXPECT_EQ(pair.client->stats().buffered_bytes, 10U);
    world.run_for(1s);
    EXPECT_EQ(pair.client->stats().buffered_bytes, 0U);
    EXPECT_EQ(pair.server->stats().buffered_bytes, 4U) << "the others were dropped";
    ASSERT_TRUE(pair.client->send_datagram(as_bytes("y")));
}

TEST_F(DatagramTest, OnesThatNoLongerFitAreDroppedAndTheRestGoesOn) {
    connect();
    world.run_for(2s);
    const std::size_t largest = pair.client->datagram_bytes_max();
    // A move to another path begins with small packets again.
    auto socket = client_process->network()->bind_udp(client_process->loop(),
                                                      client_host.add_v4_address(), {});
    ASSERT_TRUE(socket);
    ASSERT_TRUE(pair.client->send_datagram(as_bytes(pattern(largest))));
    ASSERT_TRUE(pair.client->send_datagram(as_bytes("small")));
    ASSERT_TRUE(pair.client->migrate(std::move(*socket)));
    EXPECT_EQ(as_text(run_on(*server_process, pair.server->recv_datagram()).value()), "small");
}

task<result<void>> send_many(std::shared_ptr<Connection> connection, Loop& loop, int count) {
    for (int i = 0; i < count; ++i) {
        ALKNET_CO_CHECK(connection->send_datagram(as_bytes(std::to_string(i))));
        ALKNET_CO_CHECK(co_await loop.sleep(1ms));
    }
    co_return result<void>{};
}

task<result<int>> count_many(std::shared_ptr<Connection> connection) {
    int received = 0;
    for (;;) {
        const auto one = co_await with_timeout(milliseconds(500), connection->recv_datagram());
        if (!one) {
            co_return received;
        }
        ++received;
    }
}

TEST_F(DatagramTest, LossIsLoss) {
    sim::LinkOptions link;
    link.loss = 0.2;
    world.set_all_links(link);
    connect();
    std::optional<result<void>> sent;
    client_tasks->spawn(keep(send_many(pair.client, client_process->loop(), 500), sent), "send");
    const auto received = run_on(*server_process, count_many(pair.server));
    ASSERT_TRUE(received);
    EXPECT_GT(*received, 300);
    EXPECT_LT(*received, 500);
}

}  // namespace
}  // namespace alknet::quic
