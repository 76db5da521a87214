// What strangers send.
#include <ngtcp2/ngtcp2.h>
#include <sodium.h>

#include <alknet/testing/random.hpp>

#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

/// A socket without any protocol.
class RawSocket final : private net::UdpSocket::Receiver {
public:
    RawSocket(sim::SimProcess& process, const SocketAddress& local)
        : socket_(process.network()->bind_udp(process.loop(), local, {}).value()) {
        socket_->set_receiver(this);
    }
    ~RawSocket() { socket_->set_receiver(nullptr); }
    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;

    void send(const SocketAddress& to, BytesView data) {
        net::DatagramBatch batch;
        batch.data = data;
        batch.local = socket_->local_address();
        batch.remote = to;
        (void)socket_->send(batch);
    }
    std::vector<Bytes> received;

private:
    void on_datagrams(std::span<const net::DatagramBatch> batches) noexcept override {
        for (const auto& batch : batches) {
            const std::size_t step =
                batch.segment_bytes != 0 ? batch.segment_bytes : batch.data.size();
            for (BytesView left = batch.data; !left.empty();) {
                const std::size_t size = std::min(step, left.size());
                received.push_back(to_bytes(left.first(size)));
                left = left.subspan(size);
            }
        }
    }
    void on_writable() noexcept override {}

    std::unique_ptr<net::UdpSocket> socket_;
};

/// A long header with the given version, ids of `id_bytes`, filled up to `size`.
Bytes long_header(std::uint32_t version, std::size_t id_bytes, std::size_t size,
                  std::uint8_t first = 0xc0) {
    Bytes packet;
    packet.push_back(static_cast<std::byte>(first));
    for (int shift = 24; shift >= 0; shift -= 8) {
        packet.push_back(static_cast<std::byte>(version >> shift));
    }
    for (const char fill : {'d', 's'}) {
        packet.push_back(static_cast<std::byte>(id_bytes));
        packet.insert(packet.end(), id_bytes, static_cast<std::byte>(fill));
    }
    packet.resize(std::max(size, packet.size()));
    return packet;
}

class HostileTest : public QuicTest {
protected:
    HostileTest() { start(); }
    ~HostileTest() override { stranger.reset(); }

    void send(const Bytes& data) { stranger->send(server_host.v4(kPort), data); }
    const std::vector<Bytes>& answers_to(const Bytes& data) {
        stranger->received.clear();
        send(data);
        world.run_for(1s);
        return stranger->received;
    }
    void expect_service() {
        auto connection = dial();
        ASSERT_TRUE(connection) << connection.error().message();
        (*connection)->close(0, "");
        world.run_for(5s);
    }
    std::unique_ptr<RawSocket> stranger =
        std::make_unique<RawSocket>(*client_process, client_host.v4(7777));
};

// ---- version negotiation ----

std::vector<std::uint32_t> versions_in(const Bytes& packet, std::size_t id_bytes) {
    std::vector<std::uint32_t> versions;
    for (std::size_t at = 7 + 2 * id_bytes; at + 4 <= packet.size(); at += 4) {
        std::uint32_t version = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            version = version << 8 | std::to_integer<std::uint32_t>(packet[at + i]);
        }
        versions.push_back(version);
    }
    return versions;
}

TEST_F(HostileTest, AnUnknownVersionIsAnsweredWithOursAndOneThatNobodySpeaks) {
    for (const std::size_t id_bytes : {0U, 8U, 20U, 255U}) {
        const auto& answers = answers_to(long_header(0x12345678, id_bytes, 1200));
        ASSERT_EQ(answers.size(), 1U) << id_bytes;
        const Bytes& answer = answers.front();
        EXPECT_LT(answer.size(), 1200U);
        EXPECT_EQ(as_text(BytesView(answer).subspan(1, 4)), std::string(4, '\0'));
        ASSERT_EQ(std::to_integer<std::size_t>(answer[5]), id_bytes);
        EXPECT_EQ(as_text(BytesView(answer).subspan(6, id_bytes)), std::string(id_bytes, 's'));
        const auto versions = versions_in(answer, id_bytes);
        ASSERT_EQ(versions.size(), 3U);
        EXPECT_EQ(versions[0], NGTCP2_PROTO_VER_V1);
        EXPECT_EQ(versions[1], NGTCP2_PROTO_VER_V2);
        EXPECT_EQ(versions[2] & 0x0f0f0f0fU, 0x0a0a0a0aU);
    }
    EXPECT_EQ(server->stats().version_negotiations_sent, 4U);
}

TEST_F(HostileTest, ASmallPacketOfAnUnknownVersionIsNotAnswered) {
    EXPECT_TRUE(answers_to(long_header(0x12345678, 8, 1199)).empty());
    EXPECT_EQ(server->stats().version_negotiations_sent, 0U);
    EXPECT_EQ(server->stats().datagrams_dropped, 1U);
}

TEST_F(HostileTest, VersionNegotiationIsNeverAnswered) {
    EXPECT_TRUE(answers_to(long_header(0, 8, 1200)).empty());
}

TEST_F(HostileTest, AnEndpointThatOnlyDialsAnswersNobody) {
    stranger->send(client->local_address(), long_header(0x12345678, 8, 1200));
    stranger->send(client->local_address(), long_header(NGTCP2_PROTO_VER_V1, 8, 1200));
    stranger->send(client->local_address(), Bytes(100, std::byte{0x40}));
    world.run_for(1s);
    EXPECT_TRUE(stranger->received.empty());
    EXPECT_EQ(client->stats().datagrams_dropped, 3U);
}

// ---- stateless reset ----

TEST_F(HostileTest, AShortPacketForNobodyIsAnsweredWithAShorterOne) {
    for (const std::size_t size : {22U, 30U, 43U, 100U, 1400U}) {
        const auto& answers = answers_to(Bytes(size, std::byte{0x41}));
        ASSERT_EQ(answers.size(), 1U) << size;
        EXPECT_LT(answers.front().size(), size);
        EXPECT_GE(answers.front().size(), 21U);
    }
    EXPECT_TRUE(answers_to(Bytes(21, std::byte{0x41})).empty());
}

TEST_F(HostileTest, ResetsAreRateLimited) {
    for (int i = 0; i < 1000; ++i) {
        send(Bytes(100, std::byte{0x41}));
    }
    world.run_for(50ms);
    EXPECT_LE(stranger->received.size(), 60U);
    EXPECT_GE(stranger->received.size(), 50U);
    world.run_for(1s);
    EXPECT_EQ(answers_to(Bytes(100, std::byte{0x41})).size(), 1U);
}

// ---- nonsense ----

TEST_F(HostileTest, NothingIsMadeOfNonsense) {
    sim::Random random(11);
    send({});
    for (int i = 0; i < 3000; ++i) {
        Bytes data(random.below(1472));
        random.fill(data);
        if (!data.empty() && random.chance(0.7)) {
            // Something that looks like an Initial for longer.
            const Bytes head = long_header(
                random.chance(0.5) ? NGTCP2_PROTO_VER_V1 : NGTCP2_PROTO_VER_V2, random.below(22), 0,
                static_cast<std::uint8_t>(0xc0 | random.below(64)));
            std::copy_n(head.begin(), std::min(head.size(), data.size()), data.begin());
        }
        send(data);
        if (i % 50 == 0) {
            world.run_for(20ms);
        }
    }
    world.run_for(30s);
    EXPECT_EQ(server->stats().connections, 0U);
    EXPECT_EQ(server->stats().half_open, 0U);
    EXPECT_EQ(policy.ended.size(), policy.asked.size());
    expect_service();
}

TEST_F(HostileTest, AnInitialThatCannotBeOpenedLeavesNothing) {
    Bytes initial = long_header(NGTCP2_PROTO_VER_V1, 8, 0);
    initial.push_back(std::byte{0});     // no token
    initial.push_back(std::byte{0x44});  // a length of 1180
    initial.push_back(std::byte{0x9c});
    initial.resize(1200, std::byte{0x5a});
    EXPECT_TRUE(answers_to(initial).empty());
    EXPECT_EQ(policy.asked.size(), 1U);
    EXPECT_EQ(server->stats().connections, 0U);
    ASSERT_EQ(policy.ended.size(), 1U);
    EXPECT_FALSE(policy.ended.front());
}

/// Passes on what the client sends, changed.
class TamperSocket final : public net::UdpSocket {
public:
    TamperSocket(std::unique_ptr<net::UdpSocket> inner, std::function<void(Bytes&)> change)
        : inner_(std::move(inner)), change_(std::move(change)) {}
    void set_receiver(Receiver* receiver) noexcept override { inner_->set_receiver(receiver); }
    net::SendStatus send(const net::DatagramBatch& batch) noexcept override {
        Bytes data = to_bytes(batch.data);
        change_(data);
        net::DatagramBatch changed = batch;
        changed.data = data;
        return inner_->send(changed);
    }
    [[nodiscard]] SocketAddress local_address() const noexcept override {
        return inner_->local_address();
    }
    [[nodiscard]] std::size_t segments_max() const noexcept override { return 1; }

private:
    std::unique_ptr<net::UdpSocket> inner_;
    std::function<void(Bytes&)> change_;
};

class TamperTest : public HostileTest {
protected:
    void tamper(std::function<void(Bytes&)> change) {
        client.reset();
        auto socket =
            client_process->network()->bind_udp(client_process->loop(), client_host.v4(0), {});
        client = Endpoint::create(
                     client_process->loop(),
                     std::make_unique<TamperSocket>(std::move(*socket), std::move(change)), {})
                     .value();
    }
};

TEST_F(TamperTest, ADamagedRetryTokenIsAnsweredWithInvalidToken) {
    policy.admission = [](const Incoming& incoming) {
        return incoming.validated ? Admission::accept : Admission::retry;
    };
    tamper([](Bytes& data) {
        // Header: first octet, version, two ids with lengths, token with length.
        const std::size_t token = 7 + std::to_integer<std::size_t>(data[5]) + 8 + 2;
        if (std::to_integer<int>(data[0]) >= 0xc0 && data[token - 2] != std::byte{0}) {
            data[token + 20] ^= std::byte{1};
        }
    });
    const auto outcome = dial();
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kProtocol)) << outcome.error().message();
    EXPECT_EQ(outcome.error().code(), std::uint64_t{NGTCP2_INVALID_TOKEN});
    EXPECT_EQ(policy.asked.size(), 1U);
    EXPECT_EQ(server->stats().connections, 0U);
}

TEST_F(TamperTest, ARetryTokenThatIsTooOldIsAnsweredWithInvalidToken) {
    policy.admission = [](const Incoming& incoming) {
        return incoming.validated ? Admission::accept : Admission::retry;
    };
    world.after(15ms, [&] { server_host.clock().jump_wall(1min); });
    const auto outcome = dial();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code(), std::uint64_t{NGTCP2_INVALID_TOKEN});
}

TEST_F(TamperTest, PacketsCutShortOrGrownAreLikeLostOnes) {
    sim::Random random(5);
    tamper([&random](Bytes& data) {
        if (random.chance(0.1)) {
            data.resize(random.below(data.size() + 1));
        } else if (random.chance(0.05)) {
            data.resize(data.size() + random.below(40));
        }
    });
    connect();
    auto sender = run(pair.client->open_uni());
    ASSERT_TRUE(sender);
    std::optional<result<void>> written;
    client_tasks->spawn(keep(write_all(**sender, pattern(300'000)), written), "writer");
    auto receiver = run_on(*server_process, pair.server->accept_uni());
    ASSERT_TRUE(receiver);
    EXPECT_EQ(run_on(*server_process, read_all(**receiver)).value(), pattern(300'000));
}

TEST_F(TamperTest, GarbageBehindEveryPacketIsIgnored) {
    tamper([](Bytes& data) { data.resize(data.size() + 7, std::byte{0x40}); });
    const auto outcome = dial();
    // A long header says where it ends; what follows is a packet for nobody.
    ASSERT_FALSE(outcome && (*outcome)->close_reason());
}

TEST_F(HostileTest, NobodyIsServedOnASocketThatCameWithAMove) {
    // Both a server and a dialler, which has moved to another socket.
    TestPolicy own;
    own.context = shared_client_context();
    EndpointOptions options;
    options.server = &own;
    options.secrets = make_secrets();
    client = make_endpoint(*client_process, client_host.v4(kPort), options);
    connect();
    world.run_for(1s);
    auto socket = client_process->network()->bind_udp(client_process->loop(),
                                                      client_host.add_v4_address(), {});
    const SocketAddress moved = (*socket)->local_address();
    ASSERT_TRUE(pair.client->migrate(std::move(*socket)));
    world.run_for(1s);
    auto to = target();
    to.remote = moved;
    to.tls.verify = tls::VerifyPin{own.context->key().id()};
    std::optional<result<std::shared_ptr<Connection>>> outcome;
    server_tasks->spawn(keep(server->connect(to), outcome), "dial");
    ASSERT_TRUE(until([&] { return outcome.has_value(); }));
    EXPECT_FALSE(*outcome);
    EXPECT_TRUE(own.asked.empty());
    pair = {};
    client.reset();
}

// ---- floods ----

TEST_F(HostileTest, AFloodOfFirstPacketsIsBoundedAndServiceGoesOn) {
    policy.admission = [](const Incoming& incoming) {
        if (incoming.validated || incoming.half_open < 10) {
            return Admission::accept;
        }
        return Admission::retry;
    };
    // First packets of real clients that never come back.
    std::vector<Bytes> initials;
    client.reset();
    auto socket =
        client_process->network()->bind_udp(client_process->loop(), client_host.v4(0), {});
    auto recorder = std::make_unique<TamperSocket>(std::move(*socket),
                                                   [&](Bytes& data) { initials.push_back(data); });
    client = Endpoint::create(client_process->loop(), std::move(recorder), {}).value();
    world.set_cut(client_host, server_host, true);
    std::vector<std::optional<result<std::shared_ptr<Connection>>>> outcomes(100);
    for (auto& outcome : outcomes) {
        client_tasks->spawn(keep(client->connect(target()), outcome), "dial");
    }
    world.run_for(20s);
    client.reset();
    world.set_cut(client_host, server_host, false);
    ASSERT_GT(initials.size(), 100U);

    for (const Bytes& initial : initials) {
        send(initial);
    }
    world.run_for(100ms);
    EXPECT_EQ(server->stats().half_open, 10U);
    EXPECT_GT(server->stats().retries_sent, 80U);
    start_client();
    auto connection = dial();
    EXPECT_TRUE(connection) << connection.error().message();
    world.run_for(30s);
    EXPECT_EQ(server->stats().half_open, 0U);
    EXPECT_EQ(server->stats().connections, 1U);
}

TEST_F(HostileTest, AReplayedHandshakeBeginsNothingWhileTheConnectionLives) {
    std::vector<Bytes> sent;
    client.reset();
    auto socket =
        client_process->network()->bind_udp(client_process->loop(), client_host.v4(0), {});
    auto recorder = std::make_unique<TamperSocket>(std::move(*socket),
                                                   [&](Bytes& data) { sent.push_back(data); });
    client = Endpoint::create(client_process->loop(), std::move(recorder), {}).value();
    connect();
    world.run_for(2s);
    const std::vector<Bytes> replay = sent;
    for (const Bytes& packet : replay) {
        send(packet);
    }
    world.run_for(2s);
    EXPECT_EQ(policy.asked.size(), 1U);
    EXPECT_EQ(server->stats().connections, 1U);
    EXPECT_FALSE(pair.server->close_reason());
    EXPECT_FALSE(pair.client->close_reason());
}

}  // namespace
}  // namespace alknet::quic
