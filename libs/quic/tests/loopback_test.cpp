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

}  // namespace
}  // namespace alknet::quic
