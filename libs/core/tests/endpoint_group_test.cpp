// An endpoint on several loops, with real threads and sockets: what the loops share is for the
// thread sanitizer to watch.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/core/stream_handler.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <atomic>
#include <set>

namespace alknet {
namespace {

constexpr std::size_t kLoops = 3;
constexpr std::string_view kNameAlpn = "test/loop";
constexpr std::string_view kOtherAlpn = "test/other";

/// Says which loop it is on, to everybody who asks, as long as he likes.
class LoopNameHandler final : public StreamHandler {
public:
    LoopNameHandler(std::string_view alpn, char name) : alpn_(alpn), name_(name) {}
    [[nodiscard]] std::vector<std::string> alpns() const override { return {alpn_}; }

protected:
    task<result<void>> handle_stream(BiStream& stream, const StreamContext&) override {
        ++asked_;  // not atomic: only one loop comes here
        Bytes question(1);
        for (;;) {
            ALKNET_CO_TRY(const std::size_t count, co_await stream.read(question));
            if (count == 0) {
                co_return co_await stream.finish();
            }
            const std::string answer(1, name_);
            ALKNET_CO_CHECK(co_await stream.write(as_bytes(answer)));
        }
    }

private:
    std::string alpn_;
    char name_;
    std::size_t asked_ = 0;
};

task<bool> after(task<void> work) {
    co_await std::move(work);
    co_return true;
}

std::shared_ptr<const tls::TlsContext> make_context() {
    tls::ContextOptions options;
    options.key = NodeKey::generate();
    return tls::TlsContext::create(std::move(options)).value();
}

/// The system's network, whose last loop gets no TCP port when it must not.
class PortMiser final : public net::Network {
public:
    std::atomic<bool> refuses = false;

    result<std::unique_ptr<net::UdpSocket>> bind_udp(Loop& loop, const SocketAddress& local,
                                                     const net::UdpOptions& udp) override {
        return system_->bind_udp(loop, local, udp);
    }
    result<std::unique_ptr<net::TcpListener>> listen_tcp(Loop& loop,
                                                         const SocketAddress& local) override {
        return system_->listen_tcp(loop, local);
    }
    result<std::unique_ptr<net::TcpListener>> listen_tcp_shared(
        Loop& loop, const SocketAddress& local, const net::PortShare& share) override {
        if (refuses && share.index == kLoops - 1) {
            return fail(causes::kIo, "no port for the last loop");
        }
        return system_->listen_tcp_shared(loop, local, share);
    }
    task<result<net::TcpStream>> connect_tcp(Loop& loop, SocketAddress remote) override {
        return system_->connect_tcp(loop, remote);
    }
    task<result<std::vector<SocketAddress>>> resolve(Loop& loop, std::string host,
                                                     std::uint16_t port) override {
        return system_->resolve(loop, std::move(host), port);
    }

private:
    const std::shared_ptr<net::Network> system_ = net::make_system_network();
};

/// A connection, and the loop that it is on.
struct Guest {
    std::shared_ptr<Connection> connection;
    std::unique_ptr<BiStream> stream;
    char loop = '?';
};

class EndpointGroupTest : public testing::Test {
protected:
    EndpointGroupTest() {
        options.network = network;
        options.tls = server_tls;
        options.registry = std::make_shared<HandlerRegistry>();
        options.identities = identities;
        options.secrets = quic::make_secrets();
        options.metrics = metrics;
        options.limits.connections_per_ip_max = 10'000;
        options.limits.half_open_max = 10'000;
        options.limits.shutdown_grace = std::chrono::milliseconds(10);
    }
    ~EndpointGroupTest() override {
        guests.clear();
        block_on(*loop, end());
        EXPECT_EQ(endpoint->connections(), 0U);
        EXPECT_EQ(endpoint->half_open(), 0U);
    }
    task<bool> end() {
        co_await dialer->shutdown();
        co_await endpoint->shutdown();
        co_return true;
    }

    result<void> add_handler(HandlerRegistry& registry) {
        const std::size_t number = loops_seen.fetch_add(1);
        return registry.add(
            std::make_shared<LoopNameHandler>(kNameAlpn, static_cast<char>('a' + number)));
    }
    void start(const SocketAddress& address = SocketAddress::v4({127, 0, 0, 1}, 0)) {
        ASSERT_TRUE(add_handler(*options.registry));
        auto made = Endpoint::create(*loops, options, [this](HandlerRegistry& registry, Loop&) {
            return add_handler(registry);
        });
        ASSERT_TRUE(made) << made.error().message();
        endpoint = std::move(*made);
        listen(address);
    }
    void listen(const SocketAddress& address) {
        ListenerOptions listener;
        listener.name = "main";
        listener.address = address;
        const auto bound = endpoint->listen(listener);
        ASSERT_TRUE(bound) << bound.error().message();
        target.id = server_tls->key().id();
        target.host = bound->ip_text();
        target.port = bound->port();
    }

    static task<result<void>> visit(Dialer& dialer, NodeAddress target, bool quic,
                                    std::string_view alpn, std::vector<Guest>& guests) {
        DialOptions options;
        options.alpns = {std::string(alpn)};
        options.quic = quic;
        options.tcp = !quic;
        Guest guest;
        ALKNET_CO_TRY(guest.connection,
                      co_await dialer.dial(std::move(target), std::move(options)));
        ALKNET_CO_TRY(guest.stream, co_await guest.connection->open_bi());
        const std::string question = "?";
        ALKNET_CO_CHECK(co_await guest.stream->write(as_bytes(question)));
        Bytes answer(1);
        ALKNET_CO_TRY(const std::size_t count, co_await guest.stream->read(answer));
        if (count != 1) {
            co_return fail(causes::kClosed);
        }
        guest.loop = as_text(answer)[0];
        guests.push_back(std::move(guest));
        co_return result<void>{};
    }
    result<void> visit(bool quic, std::string_view alpn = kNameAlpn) {
        return block_on(*loop, visit(*dialer, target, quic, alpn, guests));
    }
    task<result<void>> visit_often(std::size_t times) {
        TaskScope scope(*loop);
        for (std::size_t i = 0; i < times; ++i) {
            scope.spawn(visit(*dialer, target, i % 2 == 0, kNameAlpn, guests), "visit");
        }
        co_return co_await scope.join();
    }
    [[nodiscard]] std::set<char> loops_of_guests(Transport transport) const {
        std::set<char> names;
        for (const Guest& guest : guests) {
            if (guest.connection->info().transport == transport) {
                names.insert(guest.loop);
            }
        }
        return names;
    }
    static task<bool> all_closed(std::vector<Guest>& guests) {
        for (Guest& guest : guests) {
            Bytes more(1);
            const auto count = co_await guest.stream->read(more);
            if (count && *count > 0) {
                co_return false;
            }
        }
        co_return true;
    }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::unique_ptr<LoopGroup> loops = *LoopGroup::start(*loop, kLoops);
    std::shared_ptr<PortMiser> network = std::make_shared<PortMiser>();
    std::shared_ptr<const tls::TlsContext> server_tls = make_context();
    std::shared_ptr<const tls::TlsContext> client_tls = make_context();
    std::shared_ptr<StaticIdentityProvider> identities = StaticIdentityProvider::create({}).value();
    std::shared_ptr<Metrics> metrics = std::make_shared<Metrics>();
    EndpointOptions options;
    std::unique_ptr<Endpoint> endpoint;
    std::unique_ptr<Dialer> dialer = Dialer::create(*loop, network, client_tls, Log());
    NodeAddress target;
    std::vector<Guest> guests;
    std::atomic<std::size_t> loops_seen = 0;
};

TEST_F(EndpointGroupTest, EveryLoopServesBothTransports) {
    start();
    EXPECT_EQ(loops_seen, kLoops);
    const auto visited = block_on(*loop, visit_often(150));
    ASSERT_TRUE(visited) << visited.error().message();
    EXPECT_EQ(loops_of_guests(Transport::quic).size(), kLoops);
    EXPECT_EQ(loops_of_guests(Transport::tcp).size(), kLoops);
    EXPECT_EQ(endpoint->connections(), 150U);
    EXPECT_EQ(endpoint->half_open(), 0U);
    EXPECT_NE(metrics->text().find("alknet_half_open 0\n"), std::string::npos);
}

TEST_F(EndpointGroupTest, LimitsCountTheLoopsTogether) {
    constexpr std::size_t kMost = 20;
    options.limits.connections_per_ip_max = kMost;
    start();
    for (std::size_t i = 0; i < kMost; ++i) {
        ASSERT_TRUE(visit(i % 2 == 0));
    }
    EXPECT_EQ(endpoint->connections(), kMost);
    for (int i = 0; i < 10; ++i) {
        EXPECT_FALSE(visit(true));
    }
    EndpointLimits more = options.limits;
    more.connections_per_ip_max = kMost + 10;
    endpoint->set_limits(more);
    for (std::size_t i = 1; i < kLoops; ++i) {
        loops->run_on(i, [] {});  // what was posted before has been done
    }
    for (int i = 0; i < 10; ++i) {
        const auto visited = visit(i % 2 == 0);
        EXPECT_TRUE(visited) << visited.error().message();
    }
}

TEST_F(EndpointGroupTest, OnePeersConnectionsAreCountedAndEndedOnAllLoops) {
    constexpr std::size_t kMost = 12;
    options.limits.connections_per_identity_max = kMost;
    StaticPeer peer;
    peer.identity.id = "guest";
    peer.fingerprints = {client_tls->key().id().fingerprint()};
    ASSERT_TRUE(identities->replace({peer}));
    start();
    for (std::size_t i = 0; i < kMost; ++i) {
        ASSERT_TRUE(visit(i % 2 == 0));
    }
    EXPECT_FALSE(visit(true));
    ASSERT_TRUE(identities->replace({}));
    block_on(*loop, after(endpoint->recheck_identities()));
    EXPECT_TRUE(block_on(*loop, all_closed(guests)));
    for (const Guest& guest : guests) {
        if (guest.connection->info().transport == Transport::quic) {
            EXPECT_EQ(guest.connection->close_reason()->code(), close_code::kForbidden);
        }
    }
}

TEST_F(EndpointGroupTest, EveryRegistryChanges) {
    start();
    EXPECT_FALSE(visit(true, kOtherAlpn));
    endpoint->change_registry([](HandlerRegistry& registry) {
        EXPECT_TRUE(registry.add(std::make_shared<LoopNameHandler>(kOtherAlpn, 'x')));
    });
    for (std::size_t i = 1; i < kLoops; ++i) {
        loops->run_on(i, [] {});
    }
    for (int i = 0; i < 30; ++i) {
        EXPECT_TRUE(visit(i % 2 == 0, kOtherAlpn));
    }
}

TEST_F(EndpointGroupTest, AListenerStopsEverywhereAndThePortIsFreeAgain) {
    start();
    ASSERT_TRUE(block_on(*loop, visit_often(30)));
    const auto address = endpoint->local_addresses().front();
    guests.clear();
    while (endpoint->connections() > 0) {
        loop->turn(true);
    }
    EXPECT_TRUE(endpoint->unlisten("main"));
    EXPECT_FALSE(endpoint->unlisten("main"));
    EXPECT_FALSE(visit(false));
    ListenerOptions again;
    again.name = "main";
    again.address = address;
    again.quic = false;
    const auto bound = endpoint->listen(again);
    ASSERT_TRUE(bound) << bound.error().message();
    EXPECT_TRUE(visit(false));
}

TEST_F(EndpointGroupTest, APortThatIsTakenIsNoticed) {
    start();
    const auto other = network->listen_tcp(*loop, SocketAddress::v4({127, 0, 0, 1}, 0));
    ListenerOptions listener;
    listener.name = "second";
    listener.address = (*other)->local_address();
    const auto bound = endpoint->listen(listener);
    ASSERT_FALSE(bound);
    EXPECT_TRUE(bound.error().is(causes::kAddressInUse));
}

TEST_F(EndpointGroupTest, WhatALoopCannotDoIsTakenBackOnTheOthers) {
    start();
    ListenerOptions quic_alone;
    quic_alone.name = "narrow";
    quic_alone.address = SocketAddress::v4({127, 0, 0, 1}, 0);
    quic_alone.tcp = false;
    const auto bound = endpoint->listen(quic_alone);
    ASSERT_TRUE(bound) << bound.error().message();
    network->refuses = true;
    ListenerOptions both = quic_alone;
    both.tcp = true;
    EXPECT_FALSE(endpoint->listen(both));
    ListenerOptions another = both;
    another.name = "another";
    EXPECT_FALSE(endpoint->listen(another));

    EXPECT_EQ(endpoint->local_addresses().size(), 2U);
    target.port = bound->port();
    EXPECT_FALSE(visit(false)) << "TCP was begun on the first loops";
    EXPECT_TRUE(visit(true)) << "what was there before is still there";
    network->refuses = false;
    const auto changed = endpoint->listen(both);
    ASSERT_TRUE(changed) << changed.error().message();
    EXPECT_TRUE(visit(false));
}

TEST_F(EndpointGroupTest, ShutdownClosesWhatIsOpenOnEveryLoop) {
    start();
    ASSERT_TRUE(block_on(*loop, visit_often(60)));
    block_on(*loop, after(endpoint->shutdown()));
    EXPECT_TRUE(block_on(*loop, all_closed(guests)));
    EXPECT_EQ(endpoint->connections(), 0U);
}

}  // namespace
}  // namespace alknet
