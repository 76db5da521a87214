// The real transports in a simulated world: a machine that sleeps, and a path that loses UDP.
#include <gtest/gtest.h>

#include <alknet/core/dial.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/testing/sim_world.hpp>

#include "harness.hpp"

namespace alknet::resume {
namespace {

std::shared_ptr<const tls::TlsContext> make_context() {
    tls::ContextOptions options;
    options.key = NodeKey::generate();
    return tls::TlsContext::create(std::move(options)).value();
}

/// Says something and hears it back, several times.
task<result<void>> answer_each(BiStream& stream, std::size_t times, std::size_t& answered) {
    for (std::size_t i = 0; i < times; ++i) {
        Bytes back(100);
        ALKNET_CO_CHECK(co_await stream.write(noise(100, static_cast<std::uint32_t>(i))));
        for (std::size_t size = 0; size < back.size();) {
            ALKNET_CO_TRY(const std::size_t part,
                          co_await stream.read(MutableBytes(back).subspan(size)));
            size += part;
        }
        EXPECT_EQ(back, noise(100, static_cast<std::uint32_t>(i)));
        ++answered;
    }
    co_return result<void>{};
}

class SleepTest : public testing::Test {
protected:
    SleepTest() {
        options.network = node->network();
        options.tls = node_tls;
        options.registry = std::make_shared<HandlerRegistry>();
        options.identities = identities;
        options.secrets = quic::make_secrets();
        ResumeHandlerOptions resumable;
        resumable.serve = [this](std::shared_ptr<Connection> made) {
            return endpoint->serve(std::move(made));
        };
        handler = ResumeHandler::create(node->loop(), std::move(resumable));
        EXPECT_TRUE(options.registry->add(handler));
        // A service that gives up on silence by itself would end the stream.
        EXPECT_TRUE(options.registry->add(
            std::make_shared<EchoHandler>(EchoOptions{.stream_idle_timeout = hours(24)})));
        EXPECT_TRUE(
            identities->replace({{.identity = {.id = "laptop", .scopes = {}, .resources = {}},
                                  .fingerprints = {laptop_tls->key().id().fingerprint()}}}));
        endpoint = Endpoint::create(node->loop(), options);
        ListenerOptions listener;
        listener.name = "main";
        listener.address = node_host.v4(4433);
        EXPECT_TRUE(endpoint->listen(listener));
        dialer = Dialer::create(laptop->loop(), laptop->network(), laptop_tls, Log());
        ResumeClientOptions wishes;
        wishes.on_resumed = [this](const Resumption& r) { resumptions.push_back(r); };
        wishes.knock = [this] { return dialer->knock(address(), dial_options()); };
        client = ResumableClient::create(
            laptop->loop(),
            [this](std::optional<Rung> better_than) {
                DialOptions dialling = dial_options();
                dialling.better_than = better_than;
                return dial(std::move(dialling));
            },
            std::move(wishes));
    }
    ~SleepTest() override {
        stream.reset();
        run(*laptop, client->shutdown(seconds(5)));
        run(*laptop, dialer->shutdown());
        run(*node, endpoint->shutdown());
    }

    [[nodiscard]] NodeAddress address() const {
        NodeAddress target;
        target.id = node_tls->key().id();
        target.host = node_host.v4(0).ip_text();
        target.port = 4433;
        return target;
    }
    static DialOptions dial_options() {
        DialOptions dialling;
        dialling.alpns = {std::string(kResumeAlpn)};
        dialling.transport.keep_alive = seconds(15);
        return dialling;
    }
    task<result<Dialled>> dial(DialOptions dialling) {
        NodeAddress target = address();
        auto way = co_await dialer->dial_way(std::move(target), std::move(dialling));
        if (way) {
            carrier = way->connection;
        }
        co_return way;
    }
    void allow_udp(std::size_t payload_bytes_max) {
        for (const auto& [from, to] :
             {std::pair(&node_host, &laptop_host), std::pair(&laptop_host, &node_host)}) {
            sim::LinkOptions link = world.link(*from, *to);
            link.udp_payload_bytes_max = payload_bytes_max;
            world.set_link(*from, *to, link);
        }
    }
    task<void> say_all() {
        EXPECT_TRUE(co_await exchange(laptop->loop(), *stream, noise(100)));
        stream.reset();
        EXPECT_TRUE(co_await connection->wait_closed());
    }
    void run(sim::SimProcess& process, task<void> work) {
        bool ended = false;
        TaskScope scope(process.loop());
        scope.spawn(mark(std::move(work), ended), "run");
        EXPECT_TRUE(world.run_until([&] { return ended; }, minutes(5)));
    }
    static task<void> mark(task<void> work, bool& ended) {
        co_await std::move(work);
        ended = true;
    }
    task<void> open() {
        connection = (co_await client->open(std::string(kEchoAlpn))).value();
        stream = (co_await connection->open_bi()).value();
    }
    task<void> talk(std::size_t times) {
        const auto told = co_await answer_each(*stream, times, answered);
        EXPECT_TRUE(told) << sim::describe(told);
    }

    sim::SimWorld world{23};
    sim::SimHost& node_host = world.add_host("node");
    sim::SimHost& laptop_host = world.add_host("laptop");
    std::unique_ptr<sim::SimProcess> node = node_host.start();
    std::unique_ptr<sim::SimProcess> laptop = laptop_host.start();
    std::shared_ptr<const tls::TlsContext> node_tls = make_context();
    std::shared_ptr<const tls::TlsContext> laptop_tls = make_context();
    std::shared_ptr<StaticIdentityProvider> identities = StaticIdentityProvider::create({}).value();
    EndpointOptions options;
    std::shared_ptr<ResumeHandler> handler;
    std::unique_ptr<Endpoint> endpoint;
    std::unique_ptr<Dialer> dialer;
    std::unique_ptr<ResumableClient> client;
    std::shared_ptr<Connection> carrier;  // the last that was dialled
    std::shared_ptr<Connection> connection;
    std::unique_ptr<BiStream> stream;
    std::vector<Resumption> resumptions;
    std::size_t answered = 0;
};

TEST_F(SleepTest, EightHoursOfSleep) {
    for (const auto monotonic :
         {sim::SimHost::MonotonicInSleep::stops, sim::SimHost::MonotonicInSleep::goes_on}) {
        resumptions.clear();
        answered = 0;
        stream.reset();
        run(*laptop, open());
        run(*laptop, talk(3));
        laptop_host.suspend();
        world.run_for(hours(8));
        EXPECT_GE(handler->lingering(), 1U);
        laptop_host.wake(monotonic);
        run(*laptop, talk(3));
        EXPECT_EQ(answered, 6U);
        EXPECT_EQ(resumptions.size(), 1U);
    }
}

TEST_F(SleepTest, GoesOnOverTcpWhenUdpIsForbidden) {
    run(*laptop, open());
    run(*laptop, talk(3));
    EXPECT_EQ(connection->info().transport, Transport::quic);
    allow_udp(0);
    run(*laptop, talk(3));
    EXPECT_EQ(answered, 6U);
    ASSERT_EQ(resumptions.size(), 1U);
    EXPECT_EQ(resumptions[0].transport, Transport::tcp);
}

TEST_F(SleepTest, IsBackOnQuicWithinAMinuteOfTheEndOfALongBlock) {
    allow_udp(0);
    run(*laptop, open());
    EXPECT_EQ(connection->info().transport, Transport::tcp);
    for (const Duration blocked :
         {Duration(seconds(100)), Duration(hours(1)), Duration(hours(3))}) {
        resumptions.clear();
        const std::uint64_t before = world.stats().datagrams_sent;
        world.run_for(blocked);
        const auto sent = world.stats().datagrams_sent - before;
        if (blocked > hours(2)) {
            // A knock in 30 s at most, and in 200 s at most a dial of a few packets.
            EXPECT_LE(sent, static_cast<std::uint64_t>(blocked / seconds(30) +
                                                       8 * (blocked / seconds(200))));
        }
        EXPECT_TRUE(resumptions.empty());
        allow_udp(1472);
        EXPECT_TRUE(world.run_until([&] { return !resumptions.empty(); }, seconds(60)));
        EXPECT_EQ(resumptions.front().transport, Transport::quic);
        EXPECT_TRUE(resumptions.front().moved);
        run(*laptop, talk(3));
        allow_udp(0);
        EXPECT_TRUE(world.run_until([&] { return resumptions.size() == 2; }, minutes(10)));
        EXPECT_EQ(resumptions.back().transport, Transport::tcp);
    }
}

// The node forgets the stream at the client's DONE. A client that misses its answer has all it
// wants.
TEST_F(SleepTest, ALossDuringTheFarewellIsNone) {
    for (Duration after{}; after < milliseconds(150); after += milliseconds(2)) {
        run(*laptop, open());
        world.after(after, [carried = carrier] { carried->close(0, "cut"); });
        run(*laptop, say_all());
        const auto why = connection->close_reason();
        ASSERT_TRUE(why);
        EXPECT_TRUE(why->is(causes::kClosed)) << why->message();
        EXPECT_TRUE(world.run_until([&] { return handler->streams() == 0; }, minutes(1)));
    }
    EXPECT_FALSE(resumptions.empty());
}

// Nor does it wait for a node that is gone for good, once it knows that all has arrived.
TEST_F(SleepTest, NobodyWaitsOnlyToSayFarewell) {
    run(*laptop, open());
    bool ended = false;
    TaskScope scope(laptop->loop());
    scope.spawn(mark(say_all(), ended), "say");
    // What the node sends from its FIN on is lost: not before the client has everything.
    ASSERT_TRUE(world.run_until([&] { return stream == nullptr; }, minutes(1)));
    world.set_cut(node_host, laptop_host, true);
    carrier->close(0, "cut");
    EXPECT_TRUE(world.run_until([&] { return ended; }, seconds(30)));
    EXPECT_TRUE(connection->close_reason()->is(causes::kClosed));
    EXPECT_TRUE(world.run_until([&] { return client->streams() == 0; }, minutes(2)));
}

}  // namespace
}  // namespace alknet::resume
