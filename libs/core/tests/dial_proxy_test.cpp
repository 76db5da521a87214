// Dials through proxies, on virtual time: a network from which only the proxy leads out.
#include <alknet/testing/sim_proxy.hpp>

#include "world.hpp"

namespace alknet {
namespace {

using namespace test;

using Kind = net::ProxyUrl::Kind;

class DialProxy : public WorldTest {
protected:
    DialProxy() {
        serve_echo();
        listen();
        proxy.target = server_host.v4(kPort);
        world.add_name("node.inside", {server_host.v4(0)});
        use("http://user:secret@" + proxy_host.v4(3128).to_string());
        world.set_cut(server_host, client_host, true);
    }
    ~DialProxy() override { world.set_cut(server_host, client_host, false); }

    void use(std::string url, std::string except = {}) {
        DialPlace place;
        place.proxies = {.https_proxy = std::move(url), .all_proxy = {}, .no_proxy = except};
        dialer->set_place(std::move(place));
    }
    static DialOptions any() {
        DialOptions options;
        options.alpns = {std::string(kEchoAlpn)};
        return options;
    }

    sim::SimHost& proxy_host = world.add_host("proxy");
    std::unique_ptr<sim::SimProcess> proxy_process = proxy_host.start();
    sim::SimProxy proxy{*proxy_process, proxy_host.v4(3128)};
};

TEST_F(DialProxy, LeadsOutWhereNothingElseDoes) {
    const TimePoint before = world.now();
    const auto dialled = run(dialer->dial_way(address(), any()));
    ASSERT_TRUE(dialled) << dialled.error().message();
    EXPECT_EQ(dialled->rung, Rung::proxy);
    EXPECT_TRUE(
        proxy.request.starts_with("CONNECT 10.1.0.1:4433 HTTP/1.1\r\nHost: 10.1.0.1:4433\r\n"
                                  "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"))
        << proxy.request;
    EXPECT_TRUE(echoes(dialled->connection, 1));
    EXPECT_LT(world.now() - before, milliseconds(1500));
    EXPECT_EQ(dialled->connection->info().transport, Transport::tcp);
    EXPECT_EQ(dialled->connection->info().peer.key, server_tls->key().id());
    EXPECT_EQ(proxy.connected, 1);
}

TEST_F(DialProxy, HasNamesResolvedByTheProxy) {
    NodeAddress target = address();
    target.host = "known.to.the.proxy.alone";
    const auto dialled = run(dialer->dial_way(target, any()));
    ASSERT_TRUE(dialled) << dialled.error().message();
    EXPECT_EQ(dialled->rung, Rung::proxy);
    EXPECT_TRUE(proxy.request.starts_with("CONNECT known.to.the.proxy.alone:4433 "))
        << proxy.request;
}

TEST_F(DialProxy, LoosensNoPin) {
    NodeAddress target = address();
    target.id = NodeKey::generate()->id();
    const auto dialled = run(dialer->dial_way(target, any()));
    ASSERT_FALSE(dialled);
    EXPECT_TRUE(dialled.error().is(causes::kPeerKeyMismatch)) << dialled.error().message();
}

TEST_F(DialProxy, SaysWhatTheProxySaid) {
    proxy.answer = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
    const auto dialled = run(dialer->dial(address(), any()));
    ASSERT_FALSE(dialled);
    EXPECT_TRUE(dialled.error().is(causes::kProxyAuth)) << dialled.error().message();
    EXPECT_FALSE(contains(dialled.error().message(), "secret"));
    use("ftp://" + proxy_host.v4(3128).to_string());
    EXPECT_TRUE(run(dialer->dial(address(), any())).error().is(causes::kProxyInvalid));
}

TEST_F(DialProxy, IsLeftOutWhereTheDirectWayIsMeant) {
    use("http://" + proxy_host.v4(3128).to_string(), "10.0.0.0/8");
    EXPECT_TRUE(run(dialer->dial(address(), any())).error().is(causes::kHandshakeTimeout));
    DialOptions direct = any();
    direct.proxy = false;
    use("http://" + proxy_host.v4(3128).to_string());
    EXPECT_TRUE(run(dialer->dial(address(), direct)).error().is(causes::kHandshakeTimeout));
    EXPECT_EQ(proxy.connected, 0);
    world.set_cut(server_host, client_host, false);
    const auto dialled = run(dialer->dial_way(address(), any()));
    EXPECT_EQ(dialled->rung, Rung::quic_v4);
    DialOptions through = any();
    through.quic = through.tcp = false;
    EXPECT_EQ(run(dialer->dial_way(address(), through))->rung, Rung::proxy);
}

TEST_F(DialProxy, TakesNoWayButTheOneThatTheCallerHas) {
    world.set_cut(server_host, client_host, false);
    DialOptions options = any();
    options.proxy = false;
    std::string asked;
    options.via = [&](std::string host, std::uint16_t port) {
        asked = host + " " + std::to_string(port);
        return client_process->network()->connect_tcp(client_process->loop(),
                                                      server_host.v4(kPort));
    };
    NodeAddress target = address();
    target.host = "known.there.alone";
    const auto dialled = run(dialer->dial_way(target, options));
    ASSERT_TRUE(dialled) << dialled.error().message();
    EXPECT_EQ(asked, "known.there.alone 4433");
    EXPECT_EQ(dialled->rung, Rung::proxy);
    EXPECT_FALSE(dialled->path);
    EXPECT_TRUE(echoes(dialled->connection));
    target.id = NodeKey::generate()->id();
    EXPECT_TRUE(run(dialer->dial(target, options)).error().is(causes::kPeerKeyMismatch));
    options.via = [&](const std::string&, std::uint16_t) {
        return client_process->network()->connect_tcp(client_process->loop(), server_host.v4(1));
    };
    EXPECT_FALSE(run(dialer->dial(address(), options)));
    EXPECT_EQ(proxy.connected, 0);
}

}  // namespace
}  // namespace alknet
