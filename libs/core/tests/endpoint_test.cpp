// Listeners, the choice of the service and who the peer is, over the real transports.
#include "world.hpp"

namespace alknet {
namespace {

using namespace test;

task<result<void>> keep_context(std::shared_ptr<Connection> connection, AuthContext auth,
                                AuthContext& seen) {
    seen = std::move(auth);
    co_return co_await connection->wait_closed();
}

task<result<void>> answer_and_return(std::shared_ptr<Connection> connection) {
    ALKNET_CO_TRY(auto stream, co_await connection->accept_bi());
    ALKNET_CO_CHECK(co_await receive_all(*stream));
    co_return co_await send_all(*stream, noise(1'000'000));
}

class EndpointTest : public EachTransport {};
ALKNET_EACH_TRANSPORT(EndpointTest);

TEST_P(EndpointTest, CarriesBytesToTheServiceThatTheHandshakeNamed) {
    serve_echo();
    listen();
    const auto connection = dial(transport());
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_TRUE(echoes(*connection, 3'000'000));
    const ConnectionInfo& info = (*connection)->info();
    EXPECT_EQ(info.alpn, kEchoAlpn);
    EXPECT_EQ(info.transport, transport());
    EXPECT_EQ(info.peer.key, server_tls->key().id());
    EXPECT_EQ(info.remote, server_host.v4(kPort));
    EXPECT_EQ(info.tls_version, "TLS1.3");
    EXPECT_FALSE(info.cipher.empty());
    EXPECT_EQ(info.quic_version.empty(), !is_quic());
}

TEST_P(EndpointTest, OneTraceIdIsSeenOnBothEnds) {
    serve_echo();
    listen();
    const auto first = dial(transport());
    const auto second = dial(transport());
    ASSERT_TRUE(first && second);
    ASSERT_TRUE(until([&] { return node->sink->count("conn.open") == 2; }));
    const std::string& trace = (*second)->info().trace_id;
    EXPECT_EQ(trace.size(), 16U);
    EXPECT_NE(trace, (*first)->info().trace_id);
    EXPECT_EQ(node->sink->last("conn.open")->field("trace"), trace);
    EXPECT_EQ(node->sink->last("conn.open")->field("transport"), to_string(transport()));
    EXPECT_TRUE(
        contains(node->sink->last("conn.open")->field("remote_addr"), client_host.v4(0).ip_text()));
}

TEST_P(EndpointTest, TheSameKeyIsTheSameIdentityOverEachTransport) {
    ASSERT_TRUE(node->identities->replace({make_peer("alice", client_tls->key().id())}));
    AuthContext seen;
    node->add("who",
              [&seen](TestHandler&, std::shared_ptr<Connection> connection, AuthContext auth) {
                  return keep_context(std::move(connection), std::move(auth), seen);
              });
    listen();
    const auto connection = dial(transport(), "who");
    ASSERT_TRUE(connection);
    ASSERT_TRUE(until([&] { return node->sink->count("auth.attempt") == 1; }));
    const auto attempt = node->sink->last("auth.attempt");
    EXPECT_EQ(attempt->field("key_fingerprint"), client_tls->key().id().fingerprint());
    EXPECT_EQ(attempt->field("result"), "known");
    EXPECT_EQ(attempt->field("alpn"), "who");
    EXPECT_EQ(seen.identity->id, "alice");
    EXPECT_EQ(seen.transport, transport());
}

TEST_P(EndpointTest, AServiceThatNeedsAnIdentityRefusesStrangers) {
    const auto handler = node->add("private", waits_for_the_end, {.identity_required = true});
    listen();
    const auto connection = dial(transport(), "private");
    ASSERT_TRUE(connection);
    ASSERT_TRUE(until([&] { return node->sink->count("conn.close") == 1; }));
    EXPECT_EQ(node->sink->last("conn.close")->field("code"), "2");
    EXPECT_EQ(handler->started, 0);
    if (is_quic()) {
        ASSERT_TRUE(until([&] { return (*connection)->close_reason().has_value(); }));
        EXPECT_EQ((*connection)->close_reason()->code(), close_code::kAuthRequired);
    } else {
        // Close codes cannot travel on a byte stream; the end can.
        EXPECT_FALSE(run(ask(client_process->loop(), *connection, noise(1))));
    }
}

TEST_P(EndpointTest, UnknownServicesEndInTheHandshake) {
    serve_echo();
    listen();
    const auto connection = dial(transport(), "nothing");
    ASSERT_FALSE(connection);
    EXPECT_TRUE(connection.error().is(causes::kNoCommonAlpn)) << connection.error().message();
    ASSERT_TRUE(until([&] { return node->sink->count("handshake.failed") == 1; }));
    const auto failed = node->sink->last("handshake.failed");
    EXPECT_EQ(failed->field("reason"), causes::kNoCommonAlpn.id);
    EXPECT_TRUE(contains(failed->field("remote_addr"), client_host.v4(0).ip_text()));
    EXPECT_EQ(failed->field("validated"), is_quic() ? "false" : "true");
    EXPECT_EQ(node->sink->count("conn.open"), 0U);
}

TEST_P(EndpointTest, TheFirstNameOfTheClientThatIsServedThereWins) {
    node->add("only-tcp", waits_for_the_end, {.quic = false});
    node->add("only-quic", waits_for_the_end, {.tcp = false});
    node->add("both", waits_for_the_end);
    node->add("elsewhere", waits_for_the_end);
    listen({"both", "only-tcp", "only-quic", "not-registered"});
    DialOptions options = only(transport());
    options.alpns = {"not-registered", "elsewhere", is_quic() ? "only-tcp" : "only-quic",
                     is_quic() ? "only-quic" : "only-tcp", "both"};
    const auto connection = dial(options);
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_EQ((*connection)->info().alpn, is_quic() ? "only-quic" : "only-tcp");
    options.alpns = {"both", is_quic() ? "only-quic" : "only-tcp"};
    EXPECT_EQ((*dial(options))->info().alpn, "both");
    for (const char* alpn : {"elsewhere", is_quic() ? "only-tcp" : "only-quic"}) {
        EXPECT_TRUE(dial(transport(), alpn).error().is(causes::kNoCommonAlpn)) << alpn;
    }
}

TEST_P(EndpointTest, ServesThirtyNamesAndTakesMoreWhileItRuns) {
    for (int i = 0; i < 30; ++i) {
        node->add("service/" + std::to_string(i), waits_for_the_end);
    }
    listen();
    for (const char* alpn : {"service/0", "service/9", "service/29"}) {
        const auto connection = dial(transport(), alpn);
        ASSERT_TRUE(connection) << connection.error().message();
        EXPECT_EQ((*connection)->info().alpn, alpn);
    }
    EXPECT_FALSE(dial(transport(), "late"));
    node->add(std::string(31, 'l'), waits_for_the_end);
    EXPECT_TRUE(dial(transport(), std::string(31, 'l')));
    EXPECT_TRUE(node->registry->remove("service/9"));
    EXPECT_FALSE(dial(transport(), "service/9"));
    EXPECT_TRUE(node->registry->add_alias("service/9", "service/8"));
    EXPECT_TRUE(dial(transport(), "service/9"));
}

TEST_P(EndpointTest, WhatAHandlerWroteBeforeItReturnedArrives) {
    node->add("x", [](TestHandler&, std::shared_ptr<Connection> connection, AuthContext) {
        return answer_and_return(std::move(connection));
    });
    listen();
    const auto connection = dial(transport(), "x");
    ASSERT_TRUE(connection);
    const auto answer = run(ask(client_process->loop(), *connection, noise(10)));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(*answer, noise(1'000'000));
    ASSERT_TRUE(until([&] { return node->sink->count("conn.close") == 1; }));
    EXPECT_EQ(node->sink->last("conn.close")->field("code"), "0");
    EXPECT_EQ(node->sink->last("conn.close")->field("bytes"), "1000010");
    EXPECT_EQ(node->sink->last("conn.close")->field("trace"), (*connection)->info().trace_id);
}

class ListenerTest : public WorldTest {};

TEST_F(ListenerTest, BothTransportsShareOneFreePort) {
    serve_echo();
    for (int i = 0; i < 20; ++i) {
        ListenerOptions options;
        options.name = "listener " + std::to_string(i);
        options.address = server_host.v4(0);
        const auto bound = node->endpoint().listen(options);
        ASSERT_TRUE(bound) << bound.error().message();
        EXPECT_NE(bound->port(), 0U);
        NodeAddress target = address();
        target.port = bound->port();
        for (const Transport transport : {Transport::quic, Transport::tcp}) {
            EXPECT_TRUE(run(dialer->dial(target, only(transport))));
        }
    }
    EXPECT_EQ(node->endpoint().local_addresses().size(), 20U);
}

TEST_F(ListenerTest, APortWhoseTcpTwinIsTakenIsGivenUpWhole) {
    auto other =
        server_process->network()->listen_tcp(server_process->loop(), server_host.v4(kPort));
    ASSERT_TRUE(other);
    ListenerOptions options;
    options.name = "main";
    options.address = server_host.v4(kPort);
    const auto refused = node->endpoint().listen(options);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kAddressInUse));
    EXPECT_TRUE(node->endpoint().local_addresses().empty());
    other->reset();
    EXPECT_TRUE(node->endpoint().listen(options));
}

TEST_F(ListenerTest, OneTransportCanBeAllThereIs) {
    serve_echo();
    ListenerOptions options;
    options.name = "udp";
    options.address = server_host.v4(kPort);
    options.tcp = false;
    ASSERT_TRUE(node->endpoint().listen(options));
    EXPECT_TRUE(dial(Transport::quic));
    EXPECT_TRUE(dial(Transport::tcp).error().is(causes::kUnreachable));
    // The TCP port is free for a listener of its own.
    options.name = "tcp";
    options.tcp = true;
    options.quic = false;
    ASSERT_TRUE(node->endpoint().listen(options));
    EXPECT_TRUE(dial(Transport::tcp));
}

TEST_F(ListenerTest, RefusesOptionsThatMakeNoSense) {
    ListenerOptions options;
    options.name = "main";
    options.address = server_host.v4(kPort);
    options.alpns = {std::string(32, 'x')};
    EXPECT_TRUE(node->endpoint().listen(options).error().is(causes::kAlpnInvalid));
    options.alpns.clear();
    options.quic = options.tcp = false;
    EXPECT_TRUE(node->endpoint().listen(options).error().is(causes::kConfigInvalid));
    options.quic = true;
    ASSERT_TRUE(node->endpoint().listen(options));
    options.alpns = {std::string(32, 'x')};
    EXPECT_TRUE(node->endpoint().listen(options).error().is(causes::kAlpnInvalid));
    options.alpns.clear();
    options.address = server_host.v4(kPort + 1);
    EXPECT_TRUE(node->endpoint().listen(options).error().is(causes::kConfigInvalid));
}

TEST_F(ListenerTest, NamesChangeWhileConnectionsLive) {
    serve_echo();
    node->add("x", waits_for_the_end);
    listen({"x"});
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        EXPECT_FALSE(dial(transport));
    }
    const auto old = dial(Transport::quic, "x");
    listen({std::string(kEchoAlpn)});
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        EXPECT_TRUE(dial(transport));
        EXPECT_FALSE(dial(transport, "x"));
    }
    EXPECT_FALSE((*old)->close_reason().has_value());
}

TEST_F(ListenerTest, TransportsComeAndGoWhileConnectionsLive) {
    serve_echo();
    listen();
    const auto by_quic = dial(Transport::quic);
    const auto by_tcp = dial(Transport::tcp);
    ASSERT_TRUE(by_quic && by_tcp);
    ListenerOptions options;
    options.name = "main";
    options.address = server_host.v4(kPort);
    for (const auto& [quic, tcp] : {std::pair(false, true), std::pair(true, false),
                                    std::pair(false, true), std::pair(true, true)}) {
        options.quic = quic;
        options.tcp = tcp;
        ASSERT_TRUE(node->endpoint().listen(options));
        EXPECT_EQ(dial(Transport::quic).has_value(), quic);
        EXPECT_EQ(dial(Transport::tcp).has_value(), tcp);
        EXPECT_TRUE(echoes(*by_quic));
    }
    EXPECT_TRUE(echoes(*by_tcp));
}

TEST_F(ListenerTest, ATransportIsAddedToTheOtherOne) {
    serve_echo();
    ListenerOptions options;
    options.name = "main";
    options.address = server_host.v4(kPort);
    options.quic = false;
    ASSERT_TRUE(node->endpoint().listen(options));
    options.quic = true;
    ASSERT_TRUE(node->endpoint().listen(options));
    EXPECT_TRUE(dial(Transport::quic));
    EXPECT_TRUE(dial(Transport::tcp));
}

TEST_F(ListenerTest, ATransportWhosePortIsTakenChangesNothing) {
    serve_echo();
    node->add("x", waits_for_the_end);
    ListenerOptions options;
    options.name = "main";
    options.address = server_host.v4(kPort);
    options.tcp = false;
    ASSERT_TRUE(node->endpoint().listen(options));
    auto other =
        server_process->network()->listen_tcp(server_process->loop(), server_host.v4(kPort));
    ASSERT_TRUE(other);
    options.tcp = true;
    options.alpns = {"x"};
    EXPECT_TRUE(node->endpoint().listen(options).error().is(causes::kAddressInUse));
    EXPECT_TRUE(dial(Transport::quic));
    other->reset();
    ASSERT_TRUE(node->endpoint().listen(options));
    EXPECT_FALSE(dial(Transport::quic));
    EXPECT_TRUE(dial(Transport::quic, "x"));
    EXPECT_TRUE(dial(Transport::tcp, "x"));
}

TEST_F(ListenerTest, AStoppedListenerLetsItsConnectionsLive) {
    serve_echo();
    listen();
    const auto by_quic = dial(Transport::quic);
    const auto by_tcp = dial(Transport::tcp);
    ASSERT_TRUE(by_quic && by_tcp);
    EXPECT_TRUE(node->endpoint().unlisten("main"));
    EXPECT_FALSE(node->endpoint().unlisten("main"));
    EXPECT_TRUE(node->endpoint().local_addresses().empty());
    EXPECT_FALSE(dial(Transport::quic));
    EXPECT_TRUE(dial(Transport::tcp).error().is(causes::kUnreachable));
    EXPECT_TRUE(echoes(*by_quic));
    EXPECT_TRUE(echoes(*by_tcp));
    // The port is free again once its connections have gone.
    ListenerOptions options;
    options.name = "main";
    options.address = server_host.v4(kPort);
    EXPECT_TRUE(node->endpoint().listen(options).error().is(causes::kAddressInUse));
    (*by_quic)->close(0, "");
    ASSERT_TRUE(until([&] { return node->endpoint().listen(options).has_value(); }));
    EXPECT_TRUE(dial(Transport::quic));
}

/// A stream with a bug in it.
class ThrowingStream final : public ByteStream {
public:
    result<std::optional<std::size_t>> try_read(MutableBytes) override { return std::nullopt; }
    result<std::size_t> try_write(BytesView) override { return 0; }
    task<result<void>> readable() override {
        throw std::runtime_error("a bug");
        co_return result<void>{};
    }
    task<result<void>> writable() override { co_return result<void>{}; }
    task<result<void>> finish() override { co_return result<void>{}; }
    void reset(std::uint64_t) noexcept override {}
    void stop(std::uint64_t) noexcept override {}
};

/// The simulated network with a fault in its TCP.
class FaultyTcp final : public net::Network {
public:
    explicit FaultyTcp(std::shared_ptr<net::Network> below) : below_(std::move(below)) {}

    result<std::unique_ptr<net::UdpSocket>> bind_udp(Loop& loop, const SocketAddress& local,
                                                     const net::UdpOptions& options) override {
        ++udp_binds;
        return below_->bind_udp(loop, local, options);
    }
    result<std::unique_ptr<net::TcpListener>> listen_tcp(Loop& loop,
                                                         const SocketAddress& local) override {
        if (ports_taken > 0) {
            --ports_taken;
            return fail(causes::kAddressInUse);
        }
        ALKNET_TRY(auto listener, below_->listen_tcp(loop, local));
        return std::make_unique<Listener>(*this, std::move(listener));
    }
    task<result<net::TcpStream>> connect_tcp(Loop& loop, SocketAddress remote) override {
        return below_->connect_tcp(loop, remote);
    }
    task<result<std::vector<SocketAddress>>> resolve(Loop& loop, std::string host,
                                                     std::uint16_t port) override {
        return below_->resolve(loop, std::move(host), port);
    }

    int ports_taken = 0;   // so many calls of listen_tcp fail
    int accepts_fail = 0;  // so many calls of accept fail
    int streams_throw = 0;
    int udp_binds = 0;

private:
    class Listener final : public net::TcpListener {
    public:
        Listener(FaultyTcp& network, std::unique_ptr<net::TcpListener> below)
            : network_(network), below_(std::move(below)) {}
        task<result<net::TcpStream>> accept() override {
            if (network_.accepts_fail > 0) {
                --network_.accepts_fail;
                co_return fail(causes::kIo, "accept: too many open files");
            }
            ALKNET_CO_TRY(net::TcpStream accepted, co_await below_->accept());
            if (network_.streams_throw > 0) {
                --network_.streams_throw;
                accepted.stream = std::make_unique<ThrowingStream>();
            }
            co_return std::move(accepted);
        }
        [[nodiscard]] SocketAddress local_address() const noexcept override {
            return below_->local_address();
        }

    private:
        FaultyTcp& network_;
        std::unique_ptr<net::TcpListener> below_;
    };
    std::shared_ptr<net::Network> below_;
};

TEST_F(ListenerTest, AnotherFreePortIsTriedWhenTheTcpTwinIsTaken) {
    const auto network = std::make_shared<FaultyTcp>(server_process->network());
    node->options.network = network;
    ListenerOptions options;
    options.address = server_host.v4(0);
    network->ports_taken = 3;
    EXPECT_TRUE(node->endpoint().listen(options));
    EXPECT_EQ(network->udp_binds, 4);
    // Not for ever.
    options.name = "second";
    network->ports_taken = 1'000'000;
    network->udp_binds = 0;
    EXPECT_TRUE(node->endpoint().listen(options).error().is(causes::kAddressInUse));
    EXPECT_GT(network->udp_binds, 1);
    EXPECT_LT(network->udp_binds, 100);
}

TEST_F(ListenerTest, AnExceptionInAHandshakeEndsThatHandshakeAlone) {
    const auto network = std::make_shared<FaultyTcp>(server_process->network());
    network->streams_throw = 1;
    node->options.network = network;
    serve_echo();
    listen();
    EXPECT_FALSE(dial(Transport::tcp));
    EXPECT_EQ(node->sink->last("handshake.failed")->field("reason"), causes::kInternal.id);
    EXPECT_EQ(node->sink->last("handshake.failed")->field("detail"), "a bug");
    EXPECT_EQ(node->endpoint().half_open(), 0U);
    EXPECT_TRUE(dial(Transport::tcp));
}

TEST_F(ListenerTest, GoesOnAcceptingWhenDescriptorsHaveRunOut) {
    const auto network = std::make_shared<FaultyTcp>(server_process->network());
    network->accepts_fail = 3;
    node->options.network = network;
    serve_echo();
    listen();
    const auto connection = dial(Transport::tcp);
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_EQ(node->sink->count("accept.failed"), 3U);
    EXPECT_EQ(node->sink->last("accept.failed")->field("detail"), "accept: too many open files");
    EXPECT_TRUE(
        contains(node->metrics->text(), "alknet_accept_errors_total{transport=\"tcp\"} 3\n"));
}

}  // namespace
}  // namespace alknet
