// A configuration that changes beneath running connections: whom it does not concern notices
// nothing, and who is removed is out within a second.
#include <algorithm>
#include <array>
#include <vector>

#include "world.hpp"

namespace alknet::test {
namespace {

constexpr std::size_t kConnections = 12;
constexpr std::size_t kStreamsEach = 80;
constexpr std::size_t kOverTcp = 60;
constexpr int kReloads = 100;

// There and back on a stream that stays open.
task<result<void>> bounce(BiStream& stream, Bytes data) {
    ALKNET_CO_CHECK(co_await stream.write(data));
    Bytes back;
    Bytes buffer(256);
    while (back.size() < data.size()) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            co_return fail(causes::kClosed, "the stream has ended");
        }
        back.insert(back.end(), buffer.begin(), buffer.begin() + std::ptrdiff_t(count));
    }
    co_return back == data ? result<void>() : fail(causes::kProtocol, "other octets came back");
}

// Whatever the end is.
task<bool> read_to_the_end(BiStream& stream) {
    Bytes buffer(256);
    for (;;) {
        const auto count = co_await stream.read(buffer);
        if (!count || *count == 0) {
            co_return true;
        }
    }
}

// `old` again, as a reload makes it: the same key and tickets, read again.
std::shared_ptr<const tls::TlsContext> read_again(
    const std::shared_ptr<const NodeKey>& key, const std::shared_ptr<const tls::TlsContext>& old) {
    tls::ContextOptions options;
    options.key = key;
    options.ticket_keys = old->ticket_keys();
    return tls::TlsContext::create(std::move(options)).value();
}

class Reload : public WorldTest {
protected:
    Reload() {
        node->options.tls =
            tls::TlsContext::create(
                {.key = key, .certificates = {}, .authorities = {}, .ticket_keys = nullptr})
                .value();
        server_tls = node->options.tls;
    }

    void open_streams(const std::shared_ptr<Connection>& connection, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            auto stream = run(connection->open_bi());
            ASSERT_TRUE(stream) << stream.error().message();
            streams.push_back(std::move(*stream));
        }
        connections.push_back(connection);
    }
    bool bounces(std::size_t i) {
        const auto answer = run(bounce(*streams[i], noise(32)));
        EXPECT_TRUE(answer) << i << ": " << answer.error().message();
        return answer.has_value();
    }

    /// Everything that can be reloaded, in a way that does not concern "me".
    void reload(int round) {
        const bool even = round % 2 == 0;
        std::vector<StaticPeer> peers = {make_peer("me", client_tls->key().id(), {"a:b"})};
        for (int other = 0; other < 3 + round % 3; ++other) {
            peers.push_back(make_peer(
                "other-" + std::to_string(other), others[other],
                even ? std::vector<std::string>{"a:b", "c:d"} : std::vector<std::string>{"a:b"}));
        }
        ASSERT_TRUE(node->identities->replace(peers));
        node->endpoint().set_tls(read_again(key, server_tls));
        EndpointLimits limits = node->options.limits;
        limits.connections_per_identity_max = even ? 200 : 1;  // those that there are may stay
        limits.half_open_max = even ? 1000 : 10;
        node->endpoint().set_limits(limits);
        node->endpoint().change_registry([&](HandlerRegistry& registry) {
            EXPECT_TRUE(registry.set_policy("other", {.identity_required = even}));
            EXPECT_TRUE(registry.set_policy(std::string(kEchoAlpn), {.identity_required = even}));
        });
        ListenerOptions main;
        main.name = "main";
        main.address = server_host.v4(kPort);
        main.alpns = even ? std::vector<std::string>{} : std::vector<std::string>{"other"};
        EXPECT_TRUE(node->endpoint().listen(main));
        ListenerOptions more;
        more.name = "more";
        more.address = server_host.v4(kPort + 1);
        if (even) {
            EXPECT_TRUE(node->endpoint().listen(more));
        } else {
            EXPECT_TRUE(node->endpoint().unlisten("more"));
        }
        EXPECT_TRUE(run_on(*server_process, done_after(node->endpoint().recheck_identities())));
    }

    std::shared_ptr<const NodeKey> key = NodeKey::generate();
    std::vector<std::unique_ptr<BiStream>> streams;
    std::vector<std::shared_ptr<Connection>> connections;
    std::array<NodeId, 6> others = {NodeKey::generate()->id(), NodeKey::generate()->id(),
                                    NodeKey::generate()->id(), NodeKey::generate()->id(),
                                    NodeKey::generate()->id(), NodeKey::generate()->id()};
};

TEST_F(Reload, OfWhatConcernsOthersCutsNoneOfAThousandStreams) {
    node->options.limits.connections_per_ip_max = 200;
    node->options.limits.connections_per_identity_max = 200;
    ASSERT_TRUE(node->identities->replace({make_peer("me", client_tls->key().id(), {"a:b"})}));
    serve_echo({.streams_max = kStreamsEach, .stream_idle_timeout = std::chrono::hours(1)});
    node->add("other", waits_for_the_end);
    listen();
    for (std::size_t i = 0; i < kConnections; ++i) {
        const auto connection = dial(Transport::quic);
        ASSERT_TRUE(connection) << connection.error().message();
        open_streams(*connection, kStreamsEach);
    }
    for (std::size_t i = 0; i < kOverTcp; ++i) {
        const auto connection = dial(Transport::tcp);
        ASSERT_TRUE(connection) << connection.error().message();
        open_streams(*connection, 1);
    }
    ASSERT_GE(streams.size(), 1000U);
    for (std::size_t i = 0; i < streams.size(); ++i) {
        ASSERT_TRUE(bounces(i));
    }
    std::size_t next = 0;
    for (int round = 0; round < kReloads; ++round) {
        reload(round);
        // Others every time, so that each of them has lived through some.
        for (int i = 0; i < 20; ++i, next = (next + 53) % streams.size()) {
            ASSERT_TRUE(bounces(next)) << "after reload " << round;
        }
    }
    for (std::size_t i = 0; i < streams.size(); ++i) {
        ASSERT_TRUE(bounces(i));
    }
    for (const auto& connection : connections) {
        EXPECT_FALSE(connection->close_reason().has_value());
        connection->close(0, "");
    }
}

TEST_F(Reload, EndsEverythingOfARemovedPeerWithinASecond) {
    const NodeId me = client_tls->key().id();
    const auto other_tls = make_context();
    ASSERT_TRUE(node->identities->replace(
        {make_peer("me", me), make_peer("other", other_tls->key().id())}));
    serve_echo();
    const auto waiting = node->add("wait", waits_for_the_end);
    const auto stubborn = node->add("stubborn", never_returns);
    listen();
    auto other_dialer = make_dialer(*client_process, other_tls);
    const auto others =
        run(other_dialer->dial(address(), only(Transport::quic, std::string(kEchoAlpn))));
    ASSERT_TRUE(others);
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        for (const std::string_view alpn :
             {kEchoAlpn, std::string_view("wait"), std::string_view("stubborn")}) {
            const auto connection = dial(transport, std::string(alpn));
            ASSERT_TRUE(connection) << connection.error().message();
            open_streams(*connection, transport == Transport::quic ? 8 : 1);
        }
    }
    // Each has said something, so that the node has all of them.
    for (const auto& stream : streams) {
        ASSERT_TRUE(run(send_some(*stream, noise(8))));
    }
    ASSERT_TRUE(until([&] { return waiting->running == 2 && stubborn->running == 2; }));
    ASSERT_TRUE(node->identities->replace({make_peer("other", other_tls->key().id())}));
    std::vector<std::unique_ptr<Started<bool>>> readers;
    for (const auto& stream : streams) {
        readers.push_back(
            std::make_unique<Started<bool>>(client_process->loop(), read_to_the_end(*stream)));
    }
    Started<bool> recheck(server_process->loop(),
                          done_after(node->endpoint().recheck_identities()));
    EXPECT_TRUE(until(
        [&] {
            return std::ranges::all_of(readers, [](const auto& reader) { return reader->done(); });
        },
        seconds(1)));
    for (std::size_t i = 0; i < streams.size(); ++i) {
        EXPECT_TRUE(readers[i]->done()) << i;
        EXPECT_FALSE(run(send_some(*streams[i], noise(8)))) << i;
    }
    EXPECT_TRUE(until([&] { return waiting->running == 0 && stubborn->running == 0; }));
    EXPECT_TRUE(until([&] { return recheck.done(); }));
    EXPECT_TRUE(echoes(*others));
    (*others)->close(0, "");
    streams.clear();
    run(done_after(other_dialer->shutdown()));
}

/// One of two nodes that are connected both ways.
struct End {
    TestNode& node;
    sim::SimProcess& process;
    std::shared_ptr<const NodeKey> key;
    std::array<std::shared_ptr<const tls::TlsContext>, 2> contexts;
    NodeId peer;
    const std::array<NodeId, 6>& others;

    void reload(int round, bool knows_peer) const {
        std::vector<StaticPeer> peers;
        if (knows_peer) {
            peers.push_back(make_peer("peer", peer, {"a:b"}));
        }
        peers.push_back(make_peer("other", others[static_cast<std::size_t>(round) % 6]));
        EXPECT_TRUE(node.identities->replace(peers));
        node.endpoint().set_tls(contexts[static_cast<std::size_t>(round) % 2]);
        EndpointLimits limits = node.options.limits;
        limits.connections_max = round % 2 == 0 ? 100 : 50;
        node.endpoint().set_limits(limits);
        node.endpoint().change_registry([&](HandlerRegistry& registry) {
            EXPECT_TRUE(registry.set_policy(kEchoAlpn, {.identity_required = true}));
        });
    }
};

class BothEnds : public Reload {
protected:
    static constexpr int kRounds = 10'000;
    static constexpr int kPartEvery = 100;  // rounds between two in which each removes the other

    BothEnds() {
        second.options.network = client_process->network();
        second.options.tls = client_tls_of_node;
        second.options.secrets = quic::make_secrets();
        client_tls = client_tls_of_node;
        dialer = make_dialer(*client_process, client_tls);
        back_dialer = make_dialer(*server_process, server_tls);
    }
    ~BothEnds() override {
        run(done_after(second.endpoint().shutdown()));
        run_on(*server_process, done_after(back_dialer->shutdown()));
        back_dialer.reset();
    }

    static std::shared_ptr<const tls::TlsContext> context_of(std::shared_ptr<const NodeKey> key) {
        tls::ContextOptions options;
        options.key = std::move(key);
        return tls::TlsContext::create(std::move(options)).value();
    }

    /// From both sides, over QUIC and over TCP in turn.
    void connect(int turn) {
        const Transport transport = turn % 2 == 0 ? Transport::quic : Transport::tcp;
        auto there = dial(transport);
        ASSERT_TRUE(there) << there.error().message();
        NodeAddress target;
        target.id = client_key->id();
        target.host = client_host.v4(0).ip_text();
        target.port = kPort;
        auto back = run_on(*server_process, back_dialer->dial(target, only(transport)));
        ASSERT_TRUE(back) << back.error().message();
        both = {*there, *back};
        auto opened_there = run(both[0]->open_bi());
        auto opened_back = run_on(*server_process, both[1]->open_bi());
        ASSERT_TRUE(opened_there && opened_back);
        lines[0] = std::move(*opened_there);
        lines[1] = std::move(*opened_back);
    }

    /// At the same virtual instant, with octets on their way in both directions.
    void reload_both(const std::array<End, 2>& ends, int round, bool keep, bool talk) {
        std::optional<Started<result<void>>> there;
        std::optional<Started<result<void>>> back;
        if (talk) {
            there.emplace(client_process->loop(), bounce(*lines[0], noise(64)));
            back.emplace(server_process->loop(), bounce(*lines[1], noise(64)));
            world.run_for(milliseconds(round % 7));
        }
        for (const End& end : ends) {
            end.reload(round, keep);
        }
        Started<bool> first(ends[0].process.loop(),
                            done_after(ends[0].node.endpoint().recheck_identities()));
        Started<bool> second_one(ends[1].process.loop(),
                                 done_after(ends[1].node.endpoint().recheck_identities()));
        ASSERT_TRUE(until([&] { return first.done() && second_one.done(); }));
        if (talk) {
            ASSERT_TRUE(until([&] { return there->done() && back->done(); }));
            if (keep) {
                ASSERT_TRUE(there->value() && back->value()) << "round " << round;
            }
        }
    }

    std::shared_ptr<const NodeKey> client_key = NodeKey::generate();
    std::shared_ptr<const tls::TlsContext> client_tls_of_node = context_of(client_key);
    TestNode second{client_process->loop()};
    std::unique_ptr<Dialer> back_dialer;
    std::array<std::shared_ptr<Connection>, 2> both;
    std::array<std::unique_ptr<BiStream>, 2> lines;
};

TEST_F(BothEnds, ReloadInTheSameInstantTenThousandTimes) {
    const EchoOptions patient{.stream_idle_timeout = std::chrono::hours(1)};
    serve_echo(patient);
    EXPECT_TRUE(second.registry->add(std::make_shared<EchoHandler>(patient)));
    listen();
    ListenerOptions options;
    options.name = "main";
    options.address = client_host.v4(kPort);
    ASSERT_TRUE(second.endpoint().listen(options));
    const std::array<End, 2> ends = {
        End{.node = *node,
            .process = *server_process,
            .key = key,
            .contexts = {read_again(key, server_tls), read_again(key, server_tls)},
            .peer = client_key->id(),
            .others = others},
        End{.node = second,
            .process = *client_process,
            .key = client_key,
            .contexts = {read_again(client_key, client_tls), read_again(client_key, client_tls)},
            .peer = key->id(),
            .others = others}};
    for (const End& end : ends) {
        end.reload(0, true);
    }
    connect(0);
    int partings = 0;
    for (int round = 0; round < kRounds; ++round) {
        const bool part = round % kPartEvery == kPartEvery - 1;
        ASSERT_NO_FATAL_FAILURE(reload_both(ends, round, !part, part || round % 10 == 0));
        if (part) {
            // Each removed the other: both connections end, at both ends.
            ASSERT_TRUE(until(
                [&] {
                    return both[0]->close_reason().has_value() &&
                           both[1]->close_reason().has_value() &&
                           node->endpoint().connections() == 0 &&
                           second.endpoint().connections() == 0;
                },
                seconds(30)));
            ++partings;
            ASSERT_NO_FATAL_FAILURE(reload_both(ends, round, true, false));
            ASSERT_NO_FATAL_FAILURE(connect(partings));
        }
        ASSERT_FALSE(both[0]->close_reason().has_value()) << "round " << round;
        ASSERT_FALSE(both[1]->close_reason().has_value()) << "round " << round;
    }
    EXPECT_EQ(partings, kRounds / kPartEvery);
    for (const auto& connection : both) {
        connection->close(0, "");
    }
    lines = {};
}

}  // namespace
}  // namespace alknet::test
