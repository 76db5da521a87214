// A listener behind proxies: who sends a PROXY header, and whom it makes the client be.
#include <alknet/base/causes.hpp>
#include <alknet/net/proxy_protocol.hpp>

#include "world.hpp"

namespace alknet {
namespace {

using namespace test;

/// Sends `header` first on each TCP connection, as a proxy does.
class ProxyingNetwork final : public net::Network {
public:
    ProxyingNetwork(std::shared_ptr<net::Network> below, std::string header)
        : below_(std::move(below)), header_(std::move(header)) {}

    result<std::unique_ptr<net::UdpSocket>> bind_udp(Loop& loop, const SocketAddress& local,
                                                     const net::UdpOptions& options) override {
        return below_->bind_udp(loop, local, options);
    }
    result<std::unique_ptr<net::TcpListener>> listen_tcp(Loop& loop,
                                                         const SocketAddress& local) override {
        return below_->listen_tcp(loop, local);
    }
    task<result<net::TcpStream>> connect_tcp(Loop& loop, SocketAddress remote) override {
        ALKNET_CO_TRY(net::TcpStream tcp, co_await below_->connect_tcp(loop, remote));
        ALKNET_CO_CHECK(co_await tcp.stream->write(as_bytes(header_)));
        co_return tcp;
    }
    task<result<std::vector<SocketAddress>>> resolve(Loop& loop, std::string host,
                                                     std::uint16_t port) override {
        return below_->resolve(loop, std::move(host), port);
    }

private:
    std::shared_ptr<net::Network> below_;
    std::string header_;
};

class ProxiedTest : public WorldTest {
protected:
    ~ProxiedTest() override {
        for (const auto& each : dialers) {
            run(done_after(each->shutdown()));
        }
    }
    void listen_behind(std::string_view range) {
        serve_echo();
        ListenerOptions options;
        options.name = "main";
        options.address = server_host.v4(kPort);
        options.proxies = {net::AddressRange::parse(range).value()};
        ASSERT_TRUE(node->endpoint().listen(std::move(options)));
    }
    void listen_behind_client() { listen_behind(client_host.v4(0).ip_text() + "/32"); }

    /// By TCP, with `header` before everything else.
    result<std::shared_ptr<Connection>> dial_with(const std::string& header) {
        const auto network = std::make_shared<ProxyingNetwork>(client_process->network(), header);
        dialers.push_back(Dialer::create(client_process->loop(), network, client_tls, Log()));
        return run(dialers.back()->dial(address(), only(Transport::tcp)));
    }
    [[nodiscard]] bool logged(std::string_view event, std::string_view part) const {
        for (const auto& each : node->sink->events()) {
            for (const auto& [key, value] : each.fields) {
                if (each.name == event && contains(value, part)) {
                    return true;
                }
            }
        }
        return false;
    }
    static std::string v1(std::string_view client) {
        return "PROXY TCP4 " + std::string(client) + " 198.51.100.1 5000 443\r\n";
    }

    std::vector<std::unique_ptr<Dialer>> dialers;
};

TEST_F(ProxiedTest, TheClientIsWhoTheProxySays) {
    listen_behind_client();
    const auto connection = dial_with(v1("192.0.2.7"));
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_TRUE(echoes(*connection));
    EXPECT_TRUE(logged("conn.open", "192.0.2.7:5000"));
    EXPECT_TRUE(logged("auth.attempt", "192.0.2.7:5000"));
}

TEST_F(ProxiedTest, LimitsCountTheClientAndNotTheProxy) {
    node->options.limits.connections_per_ip_max = 1;
    listen_behind_client();
    const auto one = dial_with(v1("192.0.2.7"));
    ASSERT_TRUE(one) << one.error().message();
    EXPECT_FALSE(dial_with(v1("192.0.2.7")));
    const auto other = dial_with(v1("192.0.2.8"));
    ASSERT_TRUE(other) << other.error().message();
    EXPECT_EQ(node->endpoint().connections(), 2U);
    EXPECT_TRUE(echoes(*one));
    EXPECT_TRUE(echoes(*other));
}

TEST_F(ProxiedTest, AProxyThatSpeaksForItselfKeepsItsAddress) {
    listen_behind_client();
    const auto connection = dial_with("PROXY UNKNOWN\r\n");
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_TRUE(echoes(*connection));
    EXPECT_TRUE(logged("conn.open", client_host.v4(0).ip_text()));
}

TEST_F(ProxiedTest, AProxyMustSendAHeader) {
    listen_behind_client();
    EXPECT_FALSE(dial(Transport::tcp));
    EXPECT_TRUE(logged("handshake.failed", causes::kProxyHeader.id));
    EXPECT_FALSE(dial_with("PROXY TCP4 192.0.2.7\r\n"));
    EXPECT_EQ(node->endpoint().half_open(), 0U);
}

TEST_F(ProxiedTest, OthersConnectAsThemselves) {
    listen_behind("203.0.113.0/24");
    const auto connection = dial(Transport::tcp);
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_TRUE(echoes(*connection, 100'000));
    EXPECT_FALSE(dial_with(v1("192.0.2.7")));
    EXPECT_TRUE(logged("handshake.failed", "proxy_protocol_from"));
    EXPECT_FALSE(logged("conn.open", "192.0.2.7"));
}

TEST_F(ProxiedTest, AProxyThatSaysNothingIsGivenUp) {
    node->options.limits.handshake_timeout = seconds(2);
    listen_behind_client();
    auto silent =
        run(client_process->network()->connect_tcp(client_process->loop(), server_host.v4(kPort)));
    ASSERT_TRUE(silent);
    EXPECT_TRUE(until([&] { return node->endpoint().half_open() == 1; }, seconds(1)));
    EXPECT_TRUE(until([&] { return node->endpoint().half_open() == 0; }, seconds(3)));
}

TEST_F(ProxiedTest, QuicIsNotAffected) {
    listen_behind_client();
    const auto connection = dial(Transport::quic);
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_TRUE(echoes(*connection));
}

}  // namespace
}  // namespace alknet
