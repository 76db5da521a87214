// Dials through proxies, on virtual time: a network from which only the proxy leads out.
#include "world.hpp"

namespace alknet {
namespace {

using namespace test;

using Kind = net::ProxyUrl::Kind;

/// A proxy as its users see one: asks for credentials, connects, copies both ways.
class TestProxy {
public:
    TestProxy(sim::SimProcess& process, SocketAddress at)
        : process_(process), scope_(process.loop()) {
        listener_ = process.network()->listen_tcp(process.loop(), at).value();
        scope_.spawn(accept(), "proxy");
    }

    std::string head = "HTTP/1.1 200 Connection established\r\n\r\n";
    std::string expected;  // how the request must begin
    SocketAddress target;
    int connected = 0;

private:
    task<void> accept() {
        for (;;) {
            auto client = co_await listener_->accept();
            if (!client) {
                co_return;
            }
            scope_.spawn(serve(std::move(client->stream)), "proxy.client");
        }
    }
    task<void> serve(std::unique_ptr<ByteStream> client) {
        std::string request;
        Bytes buffer(4096);
        while (request.find("\r\n\r\n") == std::string::npos) {
            const auto count = co_await client->read(buffer);
            if (!count || *count == 0) {
                co_return;
            }
            request += as_text(BytesView(buffer).first(*count));
        }
        EXPECT_TRUE(request.starts_with(expected)) << request;
        auto node = co_await process_.network()->connect_tcp(process_.loop(), target);
        if (!node || !co_await client->write(as_bytes(head))) {
            co_return;
        }
        if (!head.starts_with("HTTP/1.1 200")) {
            (void)co_await client->read(buffer);  // until the other side has had enough
            co_return;
        }
        ++connected;
        TaskScope both(process_.loop());
        both.spawn(copy(*client, *node->stream), "proxy.up");
        both.spawn(copy(*node->stream, *client), "proxy.down");
        (void)co_await both.join();
    }
    static task<void> copy(ByteStream& from, ByteStream& to) {
        Bytes buffer(4096);
        for (;;) {
            const auto count = co_await from.read(buffer);
            if (!count || *count == 0) {
                (void)co_await to.finish();
                co_return;
            }
            if (!co_await to.write(BytesView(buffer).first(*count))) {
                co_return;
            }
        }
    }

    sim::SimProcess& process_;
    std::unique_ptr<net::TcpListener> listener_;
    TaskScope scope_;
};

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
    TestProxy proxy{*proxy_process, proxy_host.v4(3128)};
};

TEST_F(DialProxy, LeadsOutWhereNothingElseDoes) {
    proxy.expected =
        "CONNECT 10.0.0.1:4433 HTTP/1.1\r\nHost: 10.0.0.1:4433\r\n"
        "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n";
    const TimePoint before = world.now();
    const auto dialled = run(dialer->dial_way(address(), any()));
    ASSERT_TRUE(dialled) << dialled.error().message();
    EXPECT_EQ(dialled->rung, Rung::proxy);
    EXPECT_TRUE(echoes(dialled->connection, 1));
    EXPECT_LT(world.now() - before, milliseconds(1500));
    EXPECT_EQ(dialled->connection->info().transport, Transport::tcp);
    EXPECT_EQ(dialled->connection->info().peer.key, server_tls->key().id());
    EXPECT_EQ(proxy.connected, 1);
}

TEST_F(DialProxy, HasNamesResolvedByTheProxy) {
    NodeAddress target = address();
    target.host = "known.to.the.proxy.alone";
    proxy.expected = "CONNECT known.to.the.proxy.alone:4433 ";
    const auto dialled = run(dialer->dial_way(target, any()));
    ASSERT_TRUE(dialled) << dialled.error().message();
    EXPECT_EQ(dialled->rung, Rung::proxy);
}

TEST_F(DialProxy, LoosensNoPin) {
    NodeAddress target = address();
    target.id = NodeKey::generate()->id();
    const auto dialled = run(dialer->dial_way(target, any()));
    ASSERT_FALSE(dialled);
    EXPECT_TRUE(dialled.error().is(causes::kPeerKeyMismatch)) << dialled.error().message();
}

TEST_F(DialProxy, SaysWhatTheProxySaid) {
    proxy.head = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
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

}  // namespace
}  // namespace alknet
