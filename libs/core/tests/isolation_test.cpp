// What one connection does, another does not notice; and what changes while connections live.
#include "world.hpp"

namespace alknet {
namespace {

using namespace test;

task<result<Bytes>> ask_more(BiStream& stream, Bytes data) {
    ALKNET_CO_CHECK(co_await stream.write(data));
    Bytes answer;
    Bytes buffer(4096);
    while (answer.size() < data.size()) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            break;
        }
        answer.insert(answer.end(), buffer.begin(), buffer.begin() + std::ptrdiff_t(count));
    }
    co_return answer;
}

class IsolationTest : public EachTransport {
protected:
    /// Somebody else's connection, over the other transport and over the same.
    void SetUp() override {
        serve_echo();
        listen();
        for (const Transport transport : {Transport::quic, Transport::tcp}) {
            auto connection = dial(transport);
            ASSERT_TRUE(connection) << connection.error().message();
            auto stream = run((*connection)->open_bi());
            ASSERT_TRUE(stream);
            neighbours.push_back({std::move(*connection), std::move(*stream)});
        }
    }
    void expect_neighbours_live() {
        for (const auto& neighbour : neighbours) {
            EXPECT_EQ(run(ask_more(*neighbour.stream, noise(10'000))), noise(10'000));
            EXPECT_FALSE(neighbour.connection->close_reason().has_value());
        }
        EXPECT_TRUE(dial(transport()));
    }

    struct Neighbour {
        std::shared_ptr<Connection> connection;
        std::unique_ptr<BiStream> stream;
    };
    std::vector<Neighbour> neighbours;
};
ALKNET_EACH_TRANSPORT(IsolationTest);

TEST_P(IsolationTest, AHandlerThatThrowsHarmsItsOwnConnectionAlone) {
    node->add("throws", throws);
    for (int i = 0; i < 5; ++i) {
        const auto connection = dial(transport(), "throws");
        ASSERT_TRUE(connection);
        if (is_quic()) {
            ASSERT_TRUE(until([&] { return (*connection)->close_reason().has_value(); }));
            EXPECT_EQ((*connection)->close_reason()->code(), close_code::kInternal);
        } else {
            EXPECT_FALSE(run(ask(client_process->loop(), *connection, noise(1))));
        }
    }
    EXPECT_EQ(node->sink->count("handler.failed"), 5U);
    expect_neighbours_live();
}

TEST_P(IsolationTest, AHandlerThatNeverReturnsHarmsItsOwnConnectionAlone) {
    const auto handler = node->add("stuck", never_returns);
    auto connection = dial(transport(), "stuck");
    ASSERT_TRUE(connection);
    ASSERT_TRUE(until([&] { return handler->running == 1; }));
    world.run_for(seconds(10));
    EXPECT_EQ(handler->running, 1);
    expect_neighbours_live();
    // On TCP nobody reads, so nobody sees the client go; the idle timeout does.
    (*connection)->close(0, "");
    ASSERT_TRUE(until([&] { return handler->running == 0; }));
    EXPECT_EQ(node->sink->last("handler.failed")->field("kind"), "stuck");
}

TEST_P(IsolationTest, AFloodThatNobodyReadsStaysWithinTheBudgetOfItsConnection) {
    Connection* flooded = nullptr;
    const auto handler = node->add(
        "deaf",
        [&flooded](TestHandler& me, std::shared_ptr<Connection> connection, AuthContext auth) {
            flooded = connection.get();
            return waits_for_the_end(me, std::move(connection), std::move(auth));
        });
    const auto connection = dial(transport(), "deaf");
    ASSERT_TRUE(connection);
    auto stream = run((*connection)->open_bi());
    ASSERT_TRUE(stream);
    constexpr std::size_t kFlood = 64 << 20;
    Started flood(client_process->loop(), send_some(**stream, Bytes(kFlood)));
    world.run_for(seconds(30));
    EXPECT_FALSE(flood.done());
    ASSERT_EQ(handler->running, 1);
    const EndpointLimits& limits = node->options.limits;
    EXPECT_LE(flooded->stats().buffered_bytes, limits.connection_bytes_unauthenticated_max);
    if (is_quic()) {
        EXPECT_GT(flooded->stats().buffered_bytes, 0U);
    }
    expect_neighbours_live();
    (*connection)->close(0, "");
    EXPECT_FALSE(run(flood.join()));
}

TEST_P(IsolationTest, SlowStreamsKeepNobodyElseWaiting) {
    // Slow-loris: as many streams as there may be, a byte on each now and then.
    const auto slow = dial(transport());
    ASSERT_TRUE(slow);
    std::vector<std::unique_ptr<BiStream>> streams;
    const std::size_t count = is_quic() ? node->options.limits.streams_unauthenticated_max : 1;
    for (std::size_t i = 0; i < count; ++i) {
        streams.push_back(run((*slow)->open_bi()).value());
    }
    if (is_quic()) {
        Started another(client_process->loop(), (*slow)->open_bi());
        world.run_for(seconds(5));
        EXPECT_FALSE(another.done());
        another.cancel();
        (void)run(another.join());
    }
    for (int round = 0; round < 5; ++round) {
        for (const auto& stream : streams) {
            EXPECT_TRUE(run(send_some(*stream, noise(1))));
        }
        world.run_for(seconds(20));
        expect_neighbours_live();
    }
    // Nothing at all for the idle time, and the stream is gone.
    const bool held = is_quic();
    for (const auto& stream : streams) {
        const auto end = run(receive_all(*stream));
        ASSERT_FALSE(end);
        if (held) {
            EXPECT_EQ(end.error().code(), close_code::kTimeout) << end.error().message();
        }
    }
}

TEST_P(IsolationTest, HandlersComeAndGoWhileConnectionsLive) {
    const auto handler = node->add("x", waits_for_the_end);
    const auto connection = dial(transport(), "x");
    ASSERT_TRUE(connection);
    ASSERT_TRUE(until([&] { return handler->running == 1; }));
    EXPECT_TRUE(node->registry->remove("x"));
    EXPECT_FALSE(dial(transport(), "x"));
    EXPECT_EQ(handler->running, 1);
    const auto other = node->add("x", waits_for_the_end);
    const auto again = dial(transport(), "x");
    ASSERT_TRUE(again);
    ASSERT_TRUE(until([&] { return other->running == 1; }));
    EXPECT_EQ(handler->running, 1);
    expect_neighbours_live();
}

TEST_P(IsolationTest, ANewTlsContextIsForNewHandshakes) {
    const std::shared_ptr<const tls::TlsContext> old = server_tls;
    server_tls = make_context();
    node->endpoint().set_tls(server_tls);
    const auto connection = dial(transport());
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_EQ((*connection)->info().peer.key, server_tls->key().id());
    expect_neighbours_live();
    // Whoever expects the old key is told so.
    NodeAddress target = address();
    target.id = old->key().id();
    const auto pinned = run(dialer->dial(target, only(transport())));
    ASSERT_FALSE(pinned);
    EXPECT_TRUE(pinned.error().is(causes::kPeerKeyMismatch)) << pinned.error().message();
}

TEST_P(IsolationTest, ARemovedPeerIsCutAndAKnownOneGetsItsLimits) {
    const auto alice = make_context();
    const auto alices_dialer = make_dialer(*client_process, alice);
    ASSERT_TRUE(node->identities->replace({make_peer("alice", alice->key().id())}));
    const auto connection = run(alices_dialer->dial(address(), only(transport())));
    ASSERT_TRUE(connection);
    std::vector<std::unique_ptr<BiStream>> streams;
    const std::size_t count = is_quic() ? node->options.limits.streams_max : 1;
    ASSERT_GT(count, is_quic() ? node->options.limits.streams_unauthenticated_max : 0);
    for (std::size_t i = 0; i < count; ++i) {
        auto stream = run((*connection)->open_bi());
        ASSERT_TRUE(stream) << stream.error().message();
        streams.push_back(std::move(*stream));
    }
    EXPECT_EQ(run(ask_more(*streams.front(), noise(1000))), noise(1000));
    ASSERT_TRUE(node->identities->replace({}));
    EXPECT_TRUE(run_on(*server_process, done_after(node->endpoint().recheck_identities())));
    ASSERT_TRUE(until([&] { return node->sink->count("conn.close") == 1; }));
    EXPECT_EQ(node->sink->last("conn.close")->field("code"), "3");
    EXPECT_FALSE(run(ask_more(*streams.front(), noise(1))));
    expect_neighbours_live();
    streams.clear();
    EXPECT_TRUE(run(done_after(alices_dialer->shutdown())));
}

TEST_P(IsolationTest, ShutdownTellsTheClients) {
    Started stopping(server_process->loop(), done_after(node->endpoint().shutdown()));
    ASSERT_TRUE(until([&] { return stopping.done(); }));
    for (const auto& neighbour : neighbours) {
        EXPECT_FALSE(run(ask_more(*neighbour.stream, noise(1))));
        // Over TCP the node may have said something before.
        ASSERT_TRUE(until([&] { return neighbour.connection->close_reason().has_value(); }));
        if (neighbour.connection->info().transport == Transport::quic) {
            EXPECT_EQ(neighbour.connection->close_reason()->code(), close_code::kShutdown);
        }
    }
    EXPECT_FALSE(dial(transport()));
    EXPECT_EQ(server_process->sockets(), 0U);
}

}  // namespace
}  // namespace alknet
