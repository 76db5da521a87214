// Ways that are cut, narrow, watched or slow, each on virtual time: how long until the first byte.
#include "world.hpp"

namespace alknet {
namespace {

using namespace test;

using sim::LinkOptions;

/// Sends everything back.
struct Mirror final : net::UdpSocket::Receiver {
    explicit Mirror(net::UdpSocket& s) : socket(s) { socket.set_receiver(this); }
    void on_datagrams(std::span<const net::DatagramBatch> batches) noexcept override {
        for (const net::DatagramBatch& batch : batches) {
            ++seen;
            net::DatagramBatch back;
            back.data = batch.data;
            back.remote = batch.remote;
            (void)socket.send(back);
        }
    }
    void on_writable() noexcept override {}

    net::UdpSocket& socket;
    std::size_t seen = 0;
};

class DialTraps : public WorldTest {
protected:
    DialTraps() {
        serve_echo();
        listen();
    }

    static DialOptions any() {
        DialOptions options;
        options.alpns = {std::string(kEchoAlpn)};
        return options;
    }
    /// How long a dial takes until one octet has come back, and over what.
    struct FirstByte {
        Duration time{};
        Transport transport = Transport::memory;
        std::shared_ptr<Connection> connection;
    };
    FirstByte first_byte(DialOptions options = any()) {
        const TimePoint before = world.now();
        const auto connection = dial(std::move(options));
        EXPECT_TRUE(connection) << (connection ? "" : connection.error().message());
        if (!connection) {
            return {};
        }
        EXPECT_TRUE(echoes(*connection, 1));
        return {world.now() - before, (*connection)->info().transport, *connection};
    }
    /// The links between the two hosts, changed in both directions.
    void weather(const std::function<void(LinkOptions&)>& change) {
        for (const auto& [from, to] :
             {std::pair(&server_host, &client_host), std::pair(&client_host, &server_host)}) {
            LinkOptions link = world.link(*from, *to);
            change(link);
            world.set_link(*from, *to, link);
        }
    }
};

TEST_F(DialTraps, AKnockTellsWhetherQuicAnswers) {
    const auto knock = [&](DialOptions options = any()) {
        return run(dialer->knock(address(), std::move(options)));
    };
    EXPECT_EQ(knock(), true);
    EXPECT_EQ(node->endpoint().half_open(), 0U);
    DialOptions tcp = any();
    tcp.quic = false;
    const auto sent = world.stats().datagrams_sent;
    EXPECT_EQ(knock(tcp), false);
    EXPECT_EQ(world.stats().datagrams_sent, sent);

    weather([](LinkOptions& link) { link.udp_rejected = true; });
    TimePoint before = world.now();
    EXPECT_EQ(knock(), false);
    EXPECT_LT(world.now() - before, seconds(1));
    weather([](LinkOptions& link) {
        link.udp_rejected = false;
        link.udp_payload_bytes_max = 0;
    });
    before = world.now();
    EXPECT_EQ(knock(), false);
    EXPECT_GE(world.now() - before, Dialer::kKnockTimeout);
    EXPECT_LE(world.stats().datagrams_sent, sent + 2);
}

// What is no Version Negotiation of ours is no answer.
TEST_F(DialTraps, AKnockThatOnlyComesBackIsNotAnswered) {
    constexpr std::uint16_t kMirrorPort = 5000;
    const auto socket = server_process->network()->bind_udp(server_process->loop(),
                                                            server_host.v4(kMirrorPort), {});
    ASSERT_TRUE(socket);
    Mirror mirror(**socket);
    NodeAddress target = address();
    target.port = kMirrorPort;
    EXPECT_EQ(run(dialer->knock(target, any())), false);
    EXPECT_EQ(mirror.seen, 1U);
    (*socket)->set_receiver(nullptr);
}

TEST_F(DialTraps, UdpThatIsDropped) {
    weather([](LinkOptions& link) { link.udp_payload_bytes_max = 0; });
    const FirstByte first = first_byte();
    EXPECT_EQ(first.transport, Transport::tcp);
    EXPECT_LT(first.time, milliseconds(1500));
}

TEST_F(DialTraps, UdpThatIsRejectedByIcmp) {
    weather([](LinkOptions& link) { link.udp_rejected = true; });
    const FirstByte first = first_byte();
    EXPECT_EQ(first.transport, Transport::tcp);
    EXPECT_LT(first.time, Dialer::kTcpDelay);  // nothing is waited for
}

TEST_F(DialTraps, UdpThatEndsAfterSixteenKilobytes) {
    weather([](LinkOptions& link) { link.udp_bytes_max = 16 << 10; });
    const FirstByte first = first_byte();
    EXPECT_LT(first.time, milliseconds(1500));
    // What is dialled now finds the way shut, and another.
    (void)run(ask(client_process->loop(), first.connection, noise(64 << 10)));
    const FirstByte second = first_byte();
    EXPECT_EQ(second.transport, Transport::tcp);
    EXPECT_LT(second.time, milliseconds(1500));
}

TEST_F(DialTraps, APathThatIsNarrowerThanQuicNeeds) {
    weather([](LinkOptions& link) { link.udp_payload_bytes_max = 1124 - 28; });
    const FirstByte first = first_byte();
    EXPECT_EQ(first.transport, Transport::tcp);
    EXPECT_LT(first.time, milliseconds(1500));
}

TEST_F(DialTraps, AnInterfaceThatIsNarrowerThanQuicNeeds) {
    client_host.set_udp_payload_bytes_max(1124 - 28);  // `send` itself refuses
    const FirstByte first = first_byte();
    EXPECT_EQ(first.transport, Transport::tcp);
    EXPECT_LT(first.time, milliseconds(1500));
}

// The race has one winner, and the node does not wait for the others.
TEST_F(DialTraps, WhoComesLateIsTakenBack) {
    weather([](LinkOptions& link) { link.delay = seconds(1); });
    DialOptions options = any();
    options.prefer = RungKind::tcp;
    const TimePoint before = world.now();
    Started dialling(client_process->loop(), dialer->dial(address(), options));
    ASSERT_TRUE(until([&] { return dialling.done(); }));
    const auto connection = dialling.take();
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_EQ((*connection)->info().transport, Transport::tcp);
    EXPECT_GT(world.now() - before, Dialer::kPreferredLead);
    ASSERT_TRUE(until([&] { return node->endpoint().half_open() > 0; }, seconds(3)));
    ASSERT_TRUE(until([&] { return node->endpoint().half_open() == 0; }, seconds(3)));
    EXPECT_EQ(node->endpoint().connections(), 1U);
    EXPECT_TRUE(echoes(*connection));
    EXPECT_EQ(node->sink->count("conn.open"), 1U);
    EXPECT_EQ(node->sink->count("handshake.failed"), 1U);  // the other was told
}

TEST_F(DialTraps, LongRoundTripsWithLoss) {
    weather([](LinkOptions& link) {
        link.delay = seconds(1);
        link.loss = 0.01;
    });
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(echoes(first_byte().connection, 1000));
        EXPECT_EQ(first_byte(only(Transport::tcp)).transport, Transport::tcp);
    }
}

class DialMemory : public DialTraps {
protected:
    DialMemory() {
        DialPlace place;
        place.memory = memory;
        place.network = [this] { return network; };
        dialer->set_place(std::move(place));
    }
    std::optional<Rung> remembered() {
        const PathKey key{network_fingerprint(network), server_tls->key().id().fingerprint()};
        return memory->advice(key, client_process->loop().wall_now()).remembered;
    }

    std::shared_ptr<PathMemory> memory = std::make_shared<PathMemory>();
    NetworkIdentity network{.interface = "eth0", .gateway = "10.0.0.254", .prefix = {}};
};

TEST_F(DialMemory, WhatWorkedBeginsAtOnce) {
    weather([](LinkOptions& link) { link.udp_payload_bytes_max = 0; });
    EXPECT_LT(first_byte().time, milliseconds(1500));
    EXPECT_EQ(remembered(), Rung::tcp_v4);
    const FirstByte again = first_byte();
    EXPECT_EQ(again.transport, Transport::tcp);
    EXPECT_LT(again.time, milliseconds(300));
    EXPECT_LT(again.time, Dialer::kTcpDelay);
}

TEST_F(DialMemory, BelongsToOneNetwork) {
    weather([](LinkOptions& link) { link.udp_payload_bytes_max = 0; });
    first_byte();
    network.gateway = "10.0.0.253";
    EXPECT_FALSE(remembered());
    EXPECT_GT(first_byte().time, Dialer::kTcpDelay);
}

TEST_F(DialMemory, IsForgottenWhenItFails) {
    EXPECT_EQ(first_byte().transport, Transport::quic);
    EXPECT_EQ(remembered(), Rung::quic_v4);
    weather([](LinkOptions& link) { link.udp_rejected = true; });
    EXPECT_EQ(first_byte().transport, Transport::tcp);
    EXPECT_EQ(remembered(), Rung::tcp_v4);
    world.set_cut(server_host, client_host, true);
    EXPECT_FALSE(dial(any()));
    EXPECT_FALSE(remembered());
    world.set_cut(server_host, client_host, false);
}

TEST_F(DialMemory, ADialThatMayNotTakeEveryWayTellsNothing) {
    first_byte(only(Transport::tcp));
    EXPECT_EQ(memory->size(), 0U);
}

TEST_F(DialMemory, PolicedQuicComesAfterTcp) {
    first_byte();
    const PathKey key{network_fingerprint(network), server_tls->key().id().fingerprint()};
    const WallTime now = client_process->loop().wall_now();
    memory->report(key, {.rung = Rung::quic_v4, .bytes = 1'250'000, .time = seconds(10)}, now);
    memory->report(key, {.rung = Rung::tcp_v4, .bytes = 12'500'000, .time = seconds(10)}, now);
    EXPECT_EQ(first_byte().transport, Transport::tcp);
}

/// A stranger answers on the node's UDP port, with another key and other services.
class AStrangerOnUdp : public WorldTest {
protected:
    AStrangerOnUdp() {
        serve_echo();
        ListenerOptions tcp;
        tcp.address = server_host.v4(kPort);
        tcp.quic = false;
        EXPECT_TRUE(node->endpoint().listen(tcp));
        stranger.options.network = server_process->network();
        stranger.options.tls = make_context();
        stranger.options.secrets = quic::make_secrets();
    }
    ~AStrangerOnUdp() override {
        run_on(*server_process, done_after(stranger.endpoint().shutdown()));
    }
    void answer_on_udp() {
        ListenerOptions udp;
        udp.address = server_host.v4(kPort);
        udp.tcp = false;
        ASSERT_TRUE(stranger.endpoint().listen(udp));
    }
    void expect_tcp() {
        DialOptions options;
        options.alpns = {std::string(kEchoAlpn)};
        const TimePoint before = world.now();
        const auto connection = dial(options);
        ASSERT_TRUE(connection) << connection.error().message();
        EXPECT_EQ((*connection)->info().transport, Transport::tcp);
        EXPECT_EQ((*connection)->info().peer.key, server_tls->key().id());
        EXPECT_TRUE(echoes(*connection, 1));
        EXPECT_LT(world.now() - before, milliseconds(1500));
        const auto alone = dial(Transport::quic);
        ASSERT_FALSE(alone);
        EXPECT_TRUE(alone.error().is(*expected)) << alone.error().message();
    }

    TestNode stranger{server_process->loop()};
    const Cause* expected = &causes::kNoCommonAlpn;  // of QUIC alone
};

TEST_F(AStrangerOnUdp, WhoKnowsNoSuchServiceIsNotBelieved) {
    stranger.add("something/else", returns_at_once);
    answer_on_udp();
    expect_tcp();
}

TEST_F(AStrangerOnUdp, WhoHasAnotherKeyIsNotTalkedTo) {
    EXPECT_TRUE(stranger.registry->add(std::make_shared<EchoHandler>(EchoOptions{})));
    answer_on_udp();
    expected = &causes::kPeerKeyMismatch;
    expect_tcp();
}

TEST_F(AStrangerOnUdp, WhoRefusesIsNotTheLastWord) {
    stranger.options.limits.connections_max = 1;
    stranger.options.limits.half_open_max = 1;
    stranger.options.limits.half_open_retry = 0;
    stranger.options.limits.connections_per_ip_max = 1;
    EXPECT_TRUE(stranger.registry->add(std::make_shared<EchoHandler>(EchoOptions{})));
    answer_on_udp();
    // Somebody else holds the only place.
    NodeAddress there = address();
    there.id = stranger.options.tls->key().id();
    const auto held = run(dialer->dial(there, only(Transport::quic)));
    ASSERT_TRUE(held) << held.error().message();
    expected = &causes::kUnreachable;
    expect_tcp();
}

}  // namespace
}  // namespace alknet
