// The endpoint and the dialler on real sockets and the real clock.
#include <alknet/core/dial.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/tls/alert.hpp>

#include "handlers.hpp"

namespace alknet {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::shared_ptr<const tls::TlsContext> make_context() {
    tls::ContextOptions options;
    options.key = NodeKey::generate();
    return tls::TlsContext::create(std::move(options)).value();
}

class LoopbackTest : public testing::Test {
protected:
    LoopbackTest() {
        node->options.network = network;
        node->options.tls = server_tls;
        node->options.secrets = quic::make_secrets();
        node->options.limits.connections_per_ip_max = 10'000;
        node->options.limits.handler_unwind_timeout = milliseconds(100);
    }
    ~LoopbackTest() override {
        block_on(*loop, end());
        EXPECT_EQ(node->endpoint().connections(), 0U);
    }
    task<bool> end() {
        co_await dialer->shutdown();
        co_await node->endpoint().shutdown();
        co_return true;
    }

    void listen(SocketAddress address = SocketAddress::v4({127, 0, 0, 1}, 0)) {
        ListenerOptions options;
        options.name = "main";
        options.address = address;
        const auto bound = node->endpoint().listen(options);
        ASSERT_TRUE(bound) << bound.error().message();
        target.id = server_tls->key().id();
        target.host = bound->ip_text();
        target.port = bound->port();
    }
    static DialOptions only(Transport transport, std::string alpn = std::string(kEchoAlpn)) {
        DialOptions options;
        options.alpns = {std::move(alpn)};
        options.quic = transport == Transport::quic;
        options.tcp = transport == Transport::tcp;
        return options;
    }
    task<result<Bytes>> dial_and_ask(DialOptions options, Bytes data) {
        ALKNET_CO_TRY(const auto connection, co_await dialer->dial(target, std::move(options)));
        ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
        co_return co_await exchange(*loop, *stream, std::move(data));
    }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::shared_ptr<net::Network> network = net::make_system_network();
    std::shared_ptr<const tls::TlsContext> server_tls = make_context();
    std::shared_ptr<const tls::TlsContext> client_tls = make_context();
    std::unique_ptr<TestNode> node = std::make_unique<TestNode>(*loop);
    std::unique_ptr<Dialer> dialer = Dialer::create(*loop, network, client_tls, Log());
    NodeAddress target;
};

TEST_F(LoopbackTest, EchoesOverBothTransportsAndFamilies) {
    ASSERT_TRUE(node->registry->add(std::make_shared<EchoHandler>()));
    std::array<std::uint8_t, 16> v6{};
    v6[15] = 1;
    for (const SocketAddress& address :
         {SocketAddress::v4({127, 0, 0, 1}, 0), SocketAddress::v6(v6, 0)}) {
        listen(address);
        for (const Transport transport : {Transport::quic, Transport::tcp}) {
            const auto answer = block_on(*loop, dial_and_ask(only(transport), noise(2'000'000)));
            ASSERT_TRUE(answer) << answer.error().message();
            EXPECT_EQ(*answer, noise(2'000'000));
        }
        node->endpoint().unlisten("main");
    }
}

task<result<void>> hold(Dialer& dialer, NodeAddress target, DialOptions options,
                        std::vector<std::shared_ptr<Connection>>& held) {
    ALKNET_CO_TRY(auto connection, co_await dialer.dial(std::move(target), std::move(options)));
    held.push_back(std::move(connection));
    co_return result<void>{};
}

task<result<void>> hold_many(Loop& loop, Dialer& dialer, NodeAddress target, std::size_t count,
                             std::vector<std::shared_ptr<Connection>>& held) {
    constexpr std::size_t kAtATime = 50;
    while (held.size() < count) {
        TaskScope scope(loop);
        for (std::size_t i = 0; i < kAtATime; ++i) {
            DialOptions options;
            options.alpns = {std::string(kEchoAlpn)};
            options.quic = i % 2 == 0;
            options.tcp = !options.quic;
            scope.spawn(hold(dialer, target, std::move(options), held), "hold");
        }
        ALKNET_CO_CHECK(co_await scope.join());
    }
    co_return result<void>{};
}

TEST_F(LoopbackTest, AThousandConnectionsLiveSideBySide) {
    ASSERT_TRUE(node->registry->add(std::make_shared<EchoHandler>()));
    listen();
    std::vector<std::shared_ptr<Connection>> held;
    const auto all = block_on(*loop, hold_many(*loop, *dialer, target, 1000, held));
    ASSERT_TRUE(all) << all.error().message();
    EXPECT_EQ(held.size(), 1000U);
    EXPECT_EQ(node->endpoint().connections(), 1000U);
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        EXPECT_EQ(block_on(*loop, dial_and_ask(only(transport), noise(1000))), noise(1000));
    }
}

TEST_F(LoopbackTest, WhoIsKnownIsToldOverTcpThatItMayNotAndAStrangerIsNot) {
    const auto handler =
        node->add("x", returns_at_once,
                  {.identity_required = true, .demand = [](const Identity&) -> result<void> {
                       return fail(causes::kScopeMissing, "x:use");
                   }});
    listen();
    const auto ask = [this] {
        return block_on(*loop, dial_and_ask(only(Transport::tcp, "x"), noise(10)));
    };
    const auto stranger = ask();
    ASSERT_FALSE(stranger);
    EXPECT_TRUE(stranger.error().is(causes::kReset)) << stranger.error().message();
    ASSERT_TRUE(node->identities->replace({make_peer("bob", client_tls->key().id())}));
    const auto known = ask();
    ASSERT_FALSE(known);
    EXPECT_TRUE(known.error().is(causes::kForbidden)) << known.error().message();
    EXPECT_EQ(known.error().code(), tls::kAlertAccessDenied);
    EXPECT_EQ(handler->started, 0);
}

task<bool> until_idle(TestHandler& handler) {
    while (handler.running > 0 || handler.started == 0) {
        (void)co_await handler.changed.wait();
    }
    co_return true;
}

TEST_F(LoopbackTest, AHandlerThatIgnoresCancellationIsTakenDownWhileOthersAreServed) {
    ASSERT_TRUE(node->registry->add(std::make_shared<EchoHandler>()));
    const auto handler = node->add("stubborn", ignores_cancellation);
    listen();
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        auto connection = block_on(*loop, dialer->dial(target, only(transport, "stubborn")));
        ASSERT_TRUE(connection) << connection.error().message();
        (*connection)->close(0, "");
        node->endpoint();
        // It spins from the moment its connection ends, and the loop still serves.
        EXPECT_EQ(block_on(*loop, dial_and_ask(only(transport), noise(1000))), noise(1000));
    }
    if (handler->running > 0) {
        EndpointLimits limits = node->options.limits;
        limits.idle_timeout = milliseconds(50);  // nobody reads the TCP one
        node->endpoint().set_limits(limits);
    }
    EXPECT_TRUE(block_on(*loop, until_idle(*handler)));
}

}  // namespace
}  // namespace alknet
