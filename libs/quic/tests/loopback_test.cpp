// The same endpoints over real sockets of the loopback interface.
#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

using std::chrono::seconds;

class LoopbackTest : public testing::Test {
protected:
    LoopbackTest() { policy.context = shared_server_context(); }

    std::unique_ptr<Endpoint> make(const SocketAddress& address, EndpointOptions options,
                                   const net::UdpOptions& udp = {}) {
        auto socket = network->bind_udp(*loop, address, udp);
        EXPECT_TRUE(socket) << (socket ? "" : socket.error().message());
        return Endpoint::create(*loop, std::move(*socket), std::move(options)).value();
    }
    void start(const SocketAddress& address, const net::UdpOptions& udp = {}) {
        EndpointOptions options;
        options.secrets = make_secrets();
        options.server = &policy;
        server = make(address, options, udp);
        client = make(address, {}, udp);
    }
    static task<void> serve(Endpoint& endpoint, Loop& loop) {
        TaskScope scope(loop);
        for (;;) {
            auto connection = co_await endpoint.accept();
            if (!connection) {
                break;
            }
            scope.spawn(echo_streams(std::move(*connection), loop), "echo");
        }
        scope.cancel();
        (void)co_await scope.join();
    }
    static task<result<void>> send_half(SendStream& stream, std::string text) {
        co_return co_await write_all(stream, std::move(text));
    }
    /// Dials, echoes and shuts both sides down.
    task<result<std::string>> echo_once(SocketAddress remote, std::string text) {
        TaskScope tasks(*loop);
        tasks.spawn(serve(*server, *loop), "serve");
        auto answer = co_await with_timeout(seconds(60), ask(remote, std::move(text)));
        co_await client->shutdown(0, "");
        co_await server->shutdown(7, "");
        tasks.cancel();
        (void)co_await tasks.join();
        co_return answer;
    }
    task<result<std::string>> ask(SocketAddress remote, std::string text) {
        ConnectOptions options;
        options.remote = remote;
        options.tls.context = shared_client_context();
        options.tls.alpns = {"alknet/echo"};
        options.tls.verify = tls::VerifyPin{policy.context->key().id()};
        ALKNET_CO_TRY(auto connection, co_await client->connect(std::move(options)));
        ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
        TaskScope scope(*loop);
        scope.spawn(send_half(*stream, std::move(text)), "send");
        auto answer = co_await read_all(*stream);
        ALKNET_CO_CHECK(co_await scope.join());
        co_return answer;
    }
    std::string echo(const SocketAddress& remote, const std::string& text) {
        const auto answer = block_on(*loop, echo_once(remote, text));
        return answer ? *answer : answer.error().message();
    }
    [[nodiscard]] std::uint16_t port() const { return server->local_address().port(); }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::unique_ptr<net::Network> network = net::make_system_network();
    TestPolicy policy;
    std::unique_ptr<Endpoint> server;
    std::unique_ptr<Endpoint> client;
};

TEST_F(LoopbackTest, OverIPv4) {
    start(SocketAddress::v4({127, 0, 0, 1}, 0));
    const std::string text = pattern(10 << 20);
    EXPECT_EQ(echo(server->local_address(), text), text);
    EXPECT_EQ(server->stats().connections, 0U);
}

TEST_F(LoopbackTest, OverIPv6) {
    start(SocketAddress::parse("[::1]:0").value());
    EXPECT_EQ(echo(server->local_address(), pattern(1 << 20)), pattern(1 << 20));
}

TEST_F(LoopbackTest, OnTheWildcardAddressOfBothFamilies) {
    start(SocketAddress::parse("[::]:0").value());
    EXPECT_EQ(echo(SocketAddress::v4({127, 0, 0, 1}, port()), pattern(1 << 20)), pattern(1 << 20));
}

TEST_F(LoopbackTest, OnTheWildcardAddressSpokenToByIPv6) {
    start(SocketAddress::parse("[::]:0").value());
    const auto remote = SocketAddress::parse("[::1]:1").value().with_port(port());
    EXPECT_EQ(echo(remote, pattern(1 << 20)), pattern(1 << 20));
}

TEST_F(LoopbackTest, WithoutOffload) {
    net::UdpOptions plain;
    plain.offload = false;
    start(SocketAddress::v4({127, 0, 0, 1}, 0), plain);
    EXPECT_EQ(echo(server->local_address(), pattern(1 << 20)), pattern(1 << 20));
}

TEST_F(LoopbackTest, ATinySocketBufferIsOnlySlow) {
    net::UdpOptions tiny;
    tiny.buffer_bytes = 4096;
    start(SocketAddress::v4({127, 0, 0, 1}, 0), tiny);
    EXPECT_EQ(echo(server->local_address(), pattern(1 << 20)), pattern(1 << 20));
}

/// Two endpoints on one port. Both are on one loop here, which makes no difference to them.
class SharedPortTest : public LoopbackTest {
protected:
    /// The kernel gives the packets for endpoint `i` to the socket of endpoint `order[i]`.
    void start_shared(const std::array<std::uint32_t, 2>& order) {
        const auto steering =
            std::make_shared<Steering>(std::vector<Loop*>{loop.get(), loop.get()});
        const EndpointSecrets secrets = make_secrets();
        auto address = SocketAddress::v4({127, 0, 0, 1}, 0);
        for (std::uint32_t i = 0; i < 2; ++i) {
            EndpointOptions options;
            options.secrets = secrets;
            options.server = &policy;
            options.loop_index = order[i];
            options.loop_count = 2;
            options.steering = steering;
            servers.push_back(make(address, options, {.share = {.index = i, .count = 2}}));
            address = servers.front()->local_address();
        }
        client = make(SocketAddress::v4({127, 0, 0, 1}, 0), {});
    }
    /// Connections until both endpoints have had some.
    task<result<void>> echo_many() {
        TaskScope tasks(*loop);
        for (const auto& each : servers) {
            tasks.spawn(serve(*each, *loop), "serve");
        }
        result<void> outcome;
        for (int i = 0; i < kConnections && outcome; ++i) {
            const auto answer = co_await with_timeout(
                seconds(60), ask(servers.front()->local_address(), pattern(100'000)));
            if (!answer) {
                outcome = unexpected(answer.error());
            } else if (*answer != pattern(100'000)) {
                outcome = fail(causes::kInternal, "the echo is wrong");
            }
        }
        co_await client->shutdown(0, "");
        for (const auto& each : servers) {
            co_await each->shutdown(7, "");
        }
        tasks.cancel();
        (void)co_await tasks.join();
        co_return outcome;
    }

    static constexpr int kConnections = 40;
    std::vector<std::unique_ptr<Endpoint>> servers;
};

TEST_F(SharedPortTest, TheKernelGivesEachItsOwn) {
    start_shared({0, 1});
    const auto outcome = block_on(*loop, echo_many());
    EXPECT_TRUE(outcome) << outcome.error().message();
    for (const auto& each : servers) {
        EXPECT_GT(each->stats().datagrams_received, 0U);
        EXPECT_EQ(each->stats().datagrams_handed_on, 0U);
        EXPECT_EQ(each->stats().stateless_resets_sent, 0U);
    }
}

TEST_F(SharedPortTest, WhatReachesTheWrongLoopIsHandedOn) {
    start_shared({1, 0});
    const auto outcome = block_on(*loop, echo_many());
    EXPECT_TRUE(outcome) << outcome.error().message();
    for (const auto& each : servers) {
        EXPECT_GT(each->stats().datagrams_handed_on, 0U);
        EXPECT_EQ(each->stats().stateless_resets_sent, 0U);
    }
}

class CountingReceiver final : public SteeredReceiver {
public:
    void on_steered(const net::DatagramBatch& datagram) noexcept override {
        ++received;
        last = to_bytes(datagram.data);
    }
    std::size_t received = 0;
    Bytes last;
};

TEST(Steering, DropsWhatIsTooMuchAndWhatNobodyWaitsFor) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    const auto steering = std::make_shared<Steering>(std::vector<Loop*>{loop.get(), loop.get()});
    const auto local = SocketAddress::v4({127, 0, 0, 1}, 1);
    const std::string text = "a datagram";
    net::DatagramBatch datagram;
    datagram.data = as_bytes(text);
    EXPECT_TRUE(steering->hand_on(steering, 1, local, datagram));
    loop->run_until_idle();
    CountingReceiver receiver;
    steering->enter(1, local, receiver);
    for (std::size_t i = 0; i < Steering::kInFlightMax; ++i) {
        ASSERT_TRUE(steering->hand_on(steering, 1, local, datagram));
    }
    EXPECT_FALSE(steering->hand_on(steering, 1, local, datagram));
    loop->run_until_idle();
    EXPECT_EQ(receiver.received, Steering::kInFlightMax);
    EXPECT_EQ(as_text(receiver.last), text);
    EXPECT_TRUE(steering->hand_on(steering, 1, local, datagram));
    steering->leave(1, local);
    loop->run_until_idle();
    EXPECT_EQ(receiver.received, Steering::kInFlightMax);
}

}  // namespace
}  // namespace alknet::quic
