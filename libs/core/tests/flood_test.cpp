// Newcomers in numbers: what is admitted, what is asked to prove its address, what is cut off.
#include <alknet/base/assert.hpp>

#include "world.hpp"

namespace alknet {
namespace {

using namespace test;

class FloodTest : public WorldTest {
protected:
    [[nodiscard]] std::uint64_t admissions(Transport transport, std::string_view verdict) const {
        return node->metrics
            ->counters("alknet_admissions_total",
                       "Newcomers by what was decided before the handshake",
                       {"transport", "verdict"})
            .with({to_string(transport), verdict})
            .value();
    }
    [[nodiscard]] std::uint64_t hits(std::string_view limit) const {
        return node->metrics
            ->counters("alknet_limit_hits_total", "Times a limit struck, by its configuration key",
                       {"limit"})
            .with({limit})
            .value();
    }

    /// A host whose packets arrive, and which nothing reaches: as one that forges its address.
    struct Flooder {
        sim::SimHost* host;
        std::unique_ptr<sim::SimProcess> process;
        std::unique_ptr<Dialer> dialer;
        std::vector<std::unique_ptr<Started<result<std::shared_ptr<Connection>>>>> dials;
    };
    std::unique_ptr<Flooder> make_flooder(bool mute) {
        auto flooder = std::make_unique<Flooder>();
        flooder->host = &world.add_host("flooder");
        flooder->process = flooder->host->start();
        flooder->dialer = make_dialer(*flooder->process, client_tls);
        if (mute) {
            sim::LinkOptions link = world.link(server_host, *flooder->host);
            link.cut = true;
            world.set_link(server_host, *flooder->host, link);
        }
        return flooder;
    }
    void flood(Flooder& flooder, int count, Transport transport) {
        for (int i = 0; i < count; ++i) {
            flooder.dials.push_back(std::make_unique<Started<result<std::shared_ptr<Connection>>>>(
                flooder.process->loop(), flooder.dialer->dial(address(), only(transport))));
        }
    }
    void end(Flooder& flooder) {
        for (auto& dialling : flooder.dials) {
            dialling->cancel();
            (void)run_on(*flooder.process, dialling->join());
        }
        flooder.dials.clear();
        run_on(*flooder.process, done_after(flooder.dialer->shutdown()));
    }
};

TEST_F(FloodTest, AboveTheThresholdQuicClientsProveTheirAddress) {
    node->options.limits.half_open_retry = 4;
    serve_echo();
    listen();
    const auto mute = make_flooder(true);
    flood(*mute, 20, Transport::quic);
    ASSERT_TRUE(until([&] { return admissions(Transport::quic, "retry") > 0; }));
    EXPECT_EQ(node->endpoint().half_open(), 4U);
    EXPECT_EQ(admissions(Transport::quic, "accept"), 4U);
    EXPECT_GT(hits("limits.half_open_retry"), 0U);
    // An honest client makes the round trip and is served, as is one on TCP.
    const auto connection = dial(Transport::quic);
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_TRUE(echoes(*connection));
    EXPECT_TRUE(dial(Transport::tcp));
    // Half-open handshakes end by themselves, and nothing of them stays.
    ASSERT_TRUE(until([&] { return node->endpoint().half_open() == 0; }));
    EXPECT_EQ(hits("limits.handshake_timeout"), 4U);
    EXPECT_EQ(node->sink->last("handshake.failed")->field("validated"), "false");
    EXPECT_EQ(node->sink->last("handshake.failed")->field("reason"), causes::kHandshakeTimeout.id);
    end(*mute);
}

TEST_F(FloodTest, AboveTheHalfOpenLimitNobodyIsAnswered) {
    node->options.limits.half_open_retry = 100;
    node->options.limits.half_open_max = 6;
    serve_echo();
    listen();
    const auto mute = make_flooder(true);
    flood(*mute, 30, Transport::quic);
    ASSERT_TRUE(until([&] { return admissions(Transport::quic, "ignore") > 0; }));
    EXPECT_EQ(node->endpoint().half_open(), 6U);
    EXPECT_EQ(admissions(Transport::quic, "retry"), 0U);
    EXPECT_EQ(node->sink->last("limit.hit")->field("limit"), "limits.half_open_max");
    // TCP clients have proven their address; they are told at once.
    EXPECT_FALSE(dial(Transport::tcp));
    EXPECT_EQ(admissions(Transport::tcp, "refuse"), 1U);
    ASSERT_TRUE(until([&] { return node->endpoint().half_open() == 0; }));
    end(*mute);
    EXPECT_TRUE(dial(Transport::tcp));
    EXPECT_TRUE(dial(Transport::quic));
}

/// What a slow or silent TCP client does.
task<result<void>> trickle(Loop& loop, net::Network& network, SocketAddress to, Bytes bytes,
                           Duration pause) {
    ALKNET_CO_TRY(const net::TcpStream tcp, co_await network.connect_tcp(loop, to));
    for (const std::byte& byte : bytes) {
        ALKNET_CO_CHECK(co_await tcp.stream->write(BytesView(&byte, 1)));
        ALKNET_CO_CHECK(co_await loop.sleep(pause));
    }
    ALKNET_CO_CHECK(co_await receive_all(*tcp.stream));
    co_return result<void>{};
}

class SlowClients : public FloodTest {
protected:
    void start(int count, Bytes bytes, Duration pause) {
        for (int i = 0; i < count; ++i) {
            clients.push_back(std::make_unique<Started<result<void>>>(
                client_process->loop(), trickle(client_process->loop(), *client_process->network(),
                                                server_host.v4(kPort), bytes, pause)));
        }
    }
    [[nodiscard]] bool all_ended() const {
        return std::ranges::all_of(clients, [](const auto& client) { return client->done(); });
    }
    std::vector<std::unique_ptr<Started<result<void>>>> clients;
};

TEST_F(SlowClients, SilentOnesAreCutOffAfterTheHandshakeTime) {
    serve_echo();
    listen();
    start(50, {}, Duration::zero());
    ASSERT_TRUE(until([&] { return node->endpoint().half_open() == 50; }));
    EXPECT_TRUE(dial(Transport::tcp));
    EXPECT_TRUE(dial(Transport::quic));
    const TimePoint before = world.now();
    ASSERT_TRUE(until([&] { return all_ended(); }));
    EXPECT_LE(world.now() - before, node->options.limits.handshake_timeout);
    EXPECT_EQ(node->endpoint().half_open(), 0U);
    EXPECT_EQ(hits("limits.handshake_timeout"), 50U);
    const auto failed = node->sink->last("handshake.failed");
    EXPECT_EQ(failed->field("reason"), causes::kHandshakeTimeout.id);
    EXPECT_EQ(failed->field("validated"), "true");
}

TEST_F(SlowClients, SlowLorisGainsNothing) {
    serve_echo();
    listen();
    // The beginning of a ClientHello, an octet a second: each one is in time, all are not.
    Bytes hello = noise(2000);
    constexpr std::array<std::uint8_t, 9> kHead = {0x16, 3, 1, 7, 0xc0, 1, 0, 7, 0xbc};
    for (std::size_t i = 0; i < kHead.size(); ++i) {
        hello[i] = std::byte{kHead[i]};
    }
    const TimePoint before = world.now();
    start(50, hello, seconds(1));
    ASSERT_TRUE(until([&] { return node->endpoint().half_open() == 50; }));
    EXPECT_TRUE(dial(Transport::tcp));
    ASSERT_TRUE(until([&] { return node->endpoint().half_open() == 0; }));
    EXPECT_LE(world.now() - before, node->options.limits.handshake_timeout + seconds(1));
    ASSERT_TRUE(until([&] { return all_ended(); }));
}

TEST_F(SlowClients, WhatIsNoTlsIsToldSoAndCounted) {
    serve_echo();
    listen();
    start(1, to_bytes(as_bytes("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")), Duration::zero());
    start(1, noise(1000), Duration::zero());
    start(1, Bytes(1000), Duration::zero());
    ASSERT_TRUE(until([&] { return node->sink->count("handshake.failed") == 3; }));
    EXPECT_EQ(node->sink->last("handshake.failed")->field("reason"), causes::kTls.id);
    ASSERT_TRUE(until([&] { return all_ended(); }));
    EXPECT_EQ(node->endpoint().connections(), 0U);
}

class PerIp : public FloodTest, public testing::WithParamInterface<Transport> {};
ALKNET_EACH_TRANSPORT(PerIp);

TEST_P(PerIp, OneAddressCannotHaveAllConnections) {
    node->options.limits.connections_per_ip_max = 3;
    serve_echo();
    listen();
    std::vector<std::shared_ptr<Connection>> held;
    for (int i = 0; i < 3; ++i) {
        held.push_back(dial(GetParam()).value());
    }
    EXPECT_FALSE(dial(Transport::quic));
    EXPECT_FALSE(dial(Transport::tcp));
    EXPECT_EQ(node->sink->last("limit.hit")->field("limit"), "limits.connections_per_ip_max");
    EXPECT_TRUE(
        contains(node->sink->last("limit.hit")->field("remote_addr"), client_host.v4(0).ip_text()));
    const auto other = make_flooder(false);
    auto dialled = run_on(*other->process, other->dialer->dial(address(), only(GetParam())));
    EXPECT_TRUE(dialled) << dialled.error().message();
    dialled = {};
    end(*other);
    for (const auto& connection : held) {
        connection->close(0, "");
    }
    held.clear();
    ASSERT_TRUE(until([&] { return node->endpoint().connections() == 0; }));
    EXPECT_TRUE(dial(GetParam()));
}

TEST_P(PerIp, NewLimitsHoldAtOnce) {
    serve_echo();
    listen();
    const auto first = dial(GetParam());
    ASSERT_TRUE(first);
    EndpointLimits limits = node->options.limits;
    limits.connections_max = 1;
    node->endpoint().set_limits(limits);
    EXPECT_FALSE(dial(GetParam()));
    EXPECT_TRUE(echoes(*first));
    limits.connections_max = 2;
    node->endpoint().set_limits(limits);
    EXPECT_TRUE(dial(GetParam()));
}

TEST_P(PerIp, IdleConnectionsEnd) {
    node->options.limits.idle_timeout = seconds(30);
    node->add("x", waits_for_the_end);
    listen();
    const auto connection = dial(GetParam(), "x");
    ASSERT_TRUE(connection);
    ASSERT_TRUE(until([&] { return node->sink->count("conn.close") == 1; }));
    EXPECT_EQ(node->sink->last("conn.close")->field("reason"), causes::kIdleTimeout.id);
    EXPECT_EQ(hits("limits.idle_timeout"), 1U);
    EXPECT_EQ(node->endpoint().connections(), 0U);
}

TEST_P(PerIp, OneIdentityCannotHaveAllConnections) {
    node->options.limits.connections_per_identity_max = 2;
    ASSERT_TRUE(node->identities->replace({make_peer("alice", client_tls->key().id())}));
    node->add("x", waits_for_the_end);
    listen();
    const auto first = dial(GetParam(), "x");
    const auto second = dial(GetParam(), "x");
    ASSERT_TRUE(first && second);
    const auto third = dial(GetParam(), "x");  // the handshake does not know yet
    ASSERT_TRUE(until([&] { return node->sink->count("conn.close") == 1; }));
    EXPECT_EQ(node->sink->last("conn.close")->field("code"), "4");
    EXPECT_EQ(node->sink->last("limit.hit")->field("limit"), "limits.connections_per_identity_max");
}

}  // namespace
}  // namespace alknet
