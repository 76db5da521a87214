// Channels whose data has a stream of its own, between the node and our client.
#include "stream_world.hpp"

namespace alknet::ssh {
namespace {

using std::chrono::seconds;

/// What passes through it is counted.
class Counted final : public BiStream {
public:
    Counted(std::unique_ptr<BiStream> stream, std::size_t& octets)
        : stream_(std::move(stream)), octets_(octets) {}
    task<result<std::size_t>> read(MutableBytes into) override {
        auto got = co_await stream_->read(into);
        octets_ += got ? *got : 0;
        co_return got;
    }
    task<result<void>> write(BytesView data) override {
        octets_ += data.size();
        return stream_->write(data);
    }
    task<result<void>> finish() override { return stream_->finish(); }
    void reset(std::uint64_t code) noexcept override { stream_->reset(code); }
    void stop(std::uint64_t code) noexcept override { stream_->stop(code); }
    [[nodiscard]] std::uint64_t id() const noexcept override { return stream_->id(); }

private:
    std::unique_ptr<BiStream> stream_;
    std::size_t& octets_;
};

task<result<std::string>> read_all_of(BiStream& stream) {
    std::string all;
    Bytes buffer(64 << 10);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
        if (size == 0) {
            co_return all;
        }
        all += as_text(BytesView(buffer).first(size));
    }
}

task<result<void>> write_all_to(BiStream& stream, std::size_t size) {
    const Bytes data(64 << 10, std::byte{'x'});
    for (std::size_t done = 0; done < size; done += data.size()) {
        ALKNET_CO_CHECK(co_await stream.write(data));
    }
    co_return co_await stream.finish();
}

task<result<void>> expect_all_of(BiStream& stream, std::size_t size) {
    Bytes buffer(64 << 10);
    std::size_t got = 0;
    for (;;) {
        ALKNET_CO_TRY(const std::size_t more, co_await stream.read(buffer));
        if (more == 0) {
            EXPECT_EQ(got, size);
            co_return result<void>();
        }
        got += more;
    }
}

TcpRoute route_to(std::string host, std::uint16_t port) {
    return {.host = std::move(host), .port = port, .from_host = "::1"};
}

/// The node's own server, and our client on a connection to it.
struct BothWorld {
    explicit BothWorld(Loop& loop) : world(loop) {}

    task<result<void>> connect(MemoryConnectionOptions options = keyed_connection()) {
        auto pair = make_memory_connection_pair(std::move(options));
        connection = pair.client;
        AuthContext auth;
        auth.alpn = kSshAlpn;
        world.serving.spawn(SshWorld::serve(*world.adapter, pair.server, std::move(auth)), "serve");
        const auto key = NodeKey::generate();
        world.identities->known[key->id().fingerprint()] = {
            .id = "bob", .scopes = {"ssh:connect", "ssh:listen"}, .resources = {}};
        ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
        auto wishes = options_for(world.host_key->id(), key);
        wishes.connection = connection;
        ALKNET_CO_TRY(client, co_await SshClient::connect(
                                  world.loop, std::make_unique<Counted>(std::move(stream), octets),
                                  std::move(wishes)));
        co_return result<void>();
    }
    task<result<std::unique_ptr<SshChannel>>> open() {
        auto channel = co_await client->open_tcp(route_to("db", 1));
        if (channel) {
            target = std::move(world.network->targets.back());
            world.network->targets.pop_back();
        }
        co_return channel;
    }
    [[nodiscard]] std::uint64_t streams() const { return connection->stats().streams_open; }
    task<void> end() {
        if (client != nullptr) {
            co_await client->close();
        }
        connection->close(0, {});
        co_await world.end();
    }

    SshWorld world;
    std::shared_ptr<Connection> connection;
    std::unique_ptr<SshClient> client;
    std::unique_ptr<ByteStream> target;  // of the channel that was opened last
    std::size_t octets = 0;              // of the SSH connection, in both directions
};

task<result<void>> join(SshChannel& channel, ByteStream& stream) {
    co_return co_await channel.join(stream);
}

ALKNET_CO_TEST(SshClientStreams, SshCarriesNothingOfWhatPasses) {
    constexpr std::size_t kSize = 64 << 20;
    BothWorld both(loop);
    ALKNET_CO_ASSERT_OK(co_await both.connect());
    auto channel = co_await both.open();
    ALKNET_CO_ASSERT_OK(channel);
    auto [near, far] = net::make_memory_streams();
    TaskScope work(loop);
    const std::size_t before = both.octets;
    work.spawn(join(**channel, *near), "join");
    work.spawn(write_all_to(*far, kSize), "write");
    work.spawn(write_all_to(*both.target, kSize), "write");
    work.spawn(expect_all_of(*far, kSize), "read");
    work.spawn(expect_all_of(*both.target, kSize), "read");
    ALKNET_CO_ASSERT_OK(co_await work.join());
    EXPECT_EQ(both.streams(), 2U);
    channel->reset();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    EXPECT_EQ(both.streams(), 1U);
    // The ends of both directions and of the channel, which is all.
    EXPECT_LT(both.octets - before, 1024U);
    EXPECT_EQ(both.client->key_exchanges(), 1U);
    co_await both.end();
}

ALKNET_CO_TEST(SshClientStreams, WithoutRoomForAStreamTheChannelCarriesItself) {
    BothWorld both(loop);
    auto options = keyed_connection();
    options.streams_bidi_max = 2;
    ALKNET_CO_ASSERT_OK(co_await both.connect(std::move(options)));
    auto first = co_await both.open();
    const auto there = std::move(both.target);
    ALKNET_CO_ASSERT_OK(first);
    ALKNET_CO_ASSERT_OK(co_await (*first)->write(as_bytes("first")));
    EXPECT_EQ((co_await read_some(*there)).value(), "first");
    auto second = co_await both.open();
    ALKNET_CO_ASSERT_OK(second);
    const std::size_t before = both.octets;
    auto [near, far] = net::make_memory_streams();
    TaskScope work(loop);
    work.spawn(join(**second, *near), "join");
    work.spawn(write_all_to(*far, 1 << 20), "write");
    work.spawn(write_all_to(*both.target, 1 << 20), "write");
    work.spawn(expect_all_of(*far, 1 << 20), "read");
    work.spawn(expect_all_of(*both.target, 1 << 20), "read");
    ALKNET_CO_ASSERT_OK(co_await work.join());
    EXPECT_GT(both.octets - before, 2U << 20);
    EXPECT_EQ(both.streams(), 2U);
    co_await both.end();
}

ALKNET_CO_TEST(SshClientStreams, AreReadAndWrittenAsAChannelIs) {
    BothWorld both(loop);
    ALKNET_CO_ASSERT_OK(co_await both.connect());
    auto channel = co_await both.open();
    ALKNET_CO_ASSERT_OK(channel);
    ALKNET_CO_ASSERT_OK(co_await (*channel)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*both.target)).value(), "up");
    ALKNET_CO_ASSERT_OK(co_await both.target->write(as_bytes("down")));
    EXPECT_EQ((co_await read_some(**channel)).value(), "down");
    // The same without waiting.
    Bytes some(2);
    EXPECT_EQ((*channel)->try_read(some).value(), std::nullopt);
    ALKNET_CO_ASSERT_OK(co_await both.target->write(as_bytes("more")));
    ALKNET_CO_ASSERT_OK(co_await (*channel)->readable());
    EXPECT_EQ((*channel)->try_read(some).value(), 2U);
    EXPECT_EQ(as_text(some), "mo");
    EXPECT_EQ((co_await read_some(**channel)).value(), "re");
    EXPECT_EQ((*channel)->try_write(as_bytes("one")).value(), 3U);
    EXPECT_EQ((*channel)->try_write(as_bytes("two")).value(), 0U);
    ALKNET_CO_ASSERT_OK(co_await (*channel)->writable());
    EXPECT_EQ((*channel)->try_write(as_bytes("two")).value(), 3U);
    ALKNET_CO_ASSERT_OK(co_await (*channel)->finish());
    EXPECT_FALSE((*channel)->try_write(as_bytes("three")));
    EXPECT_FALSE(co_await (*channel)->write(as_bytes("three")));
    EXPECT_EQ((co_await read_all_of(*both.target)).value(), "onetwo");
    ALKNET_CO_ASSERT_OK(co_await both.target->finish());
    ALKNET_CO_ASSERT_OK(co_await (*channel)->readable());
    EXPECT_EQ((*channel)->try_read(some).value(), 0U);
    EXPECT_EQ((co_await (*channel)->read(some)).value(), 0U);
    ALKNET_CO_ASSERT_OK(co_await (*channel)->wait_closed());
    EXPECT_FALSE((*channel)->exit());
    co_await both.end();
}

ALKNET_CO_TEST(SshClientStreams, CarryWhatArrives) {
    BothWorld both(loop);
    ALKNET_CO_ASSERT_OK(co_await both.connect());
    std::unique_ptr<SshArrival> arrival;
    Event arrived;
    const auto port =
        co_await both.client->listen_tcp("localhost", 0, [&](std::unique_ptr<SshArrival> one) {
            arrival = std::move(one);
            arrived.set();
        });
    ALKNET_CO_ASSERT_OK(port);
    const auto visitor = both.world.network->come_to("127.0.0.1:50000");
    ALKNET_CO_ASSERT(visitor != nullptr);
    ALKNET_CO_ASSERT_OK(co_await arrived.wait());
    EXPECT_EQ(arrival->from_host(), "192.0.2.9");
    auto channel = arrival->accept();
    ALKNET_CO_ASSERT_OK(channel);
    const std::size_t before = both.octets;
    auto [near, far] = net::make_memory_streams();
    TaskScope work(loop);
    work.spawn(join(**channel, *near), "join");
    work.spawn(write_all_to(*far, 1 << 20), "write");
    work.spawn(write_all_to(*visitor, 1 << 20), "write");
    work.spawn(expect_all_of(*far, 1 << 20), "read");
    work.spawn(expect_all_of(*visitor, 1 << 20), "read");
    ALKNET_CO_ASSERT_OK(co_await work.join());
    EXPECT_LT(both.octets - before, 1024U);
    co_await both.end();
}

ALKNET_CO_TEST(SshClientStreams, OneThatIsAbandonedEndsItsTarget) {
    BothWorld both(loop);
    ALKNET_CO_ASSERT_OK(co_await both.connect());
    const TimePoint begun = loop.now();
    auto at_once = co_await both.open();
    ALKNET_CO_ASSERT_OK(at_once);
    at_once->reset();  // before its stream is there
    (void)co_await read_some(*both.target);
    auto later = co_await both.open();
    ALKNET_CO_ASSERT_OK(later);
    ALKNET_CO_ASSERT_OK(co_await (*later)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*both.target)).value(), "up");
    (*later)->reset(0);
    EXPECT_TRUE(co_await is_reset(*both.target));
    EXPECT_EQ(loop.now(), begun);
    co_await both.end();
}

ALKNET_CO_TEST(SshClientStreams, WhatTheJoinedStreamLosesIsLostAtTheOtherEnd) {
    BothWorld both(loop);
    ALKNET_CO_ASSERT_OK(co_await both.connect());
    for (const bool ours : {true, false}) {
        auto channel = co_await both.open();
        ALKNET_CO_ASSERT_OK(channel);
        auto [near, far] = net::make_memory_streams();
        TaskScope work(loop);
        work.spawn(join(**channel, *near), "join");
        ALKNET_CO_ASSERT_OK(co_await far->write(as_bytes("up")));
        EXPECT_EQ((co_await read_some(*both.target)).value(), "up");
        (ours ? far : both.target)->reset(0);
        const auto joined = co_await work.join();
        EXPECT_TRUE(!joined && joined.error().is(causes::kReset));
        channel->reset();
        near.reset();
        EXPECT_TRUE(co_await is_reset(ours ? *both.target : *far));
    }
    co_await both.end();
}

ALKNET_CO_TEST(SshClientStreams, EndWithTheSession) {
    BothWorld both(loop);
    ALKNET_CO_ASSERT_OK(co_await both.connect());
    auto channel = co_await both.open();
    ALKNET_CO_ASSERT_OK(channel);
    auto idle = co_await both.open();
    ALKNET_CO_ASSERT_OK(idle);
    ALKNET_CO_ASSERT_OK(co_await (*idle)->write(as_bytes("up")));
    auto [near, far] = net::make_memory_streams();
    TaskScope work(loop);
    work.spawn(join(**channel, *near), "join");
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    both.world.identities->known.clear();
    co_await both.world.adapter->recheck_identities();
    const auto joined = co_await work.join();
    EXPECT_FALSE(joined);
    EXPECT_FALSE(co_await both.client->wait_closed());
    Bytes some(2);
    EXPECT_FALSE((*idle)->try_read(some));
    EXPECT_FALSE((*idle)->try_write(as_bytes("x")));
    EXPECT_FALSE(co_await (*idle)->read(some));
    EXPECT_FALSE(co_await (*idle)->write(as_bytes("x")));
    EXPECT_FALSE(co_await (*idle)->readable());
    EXPECT_FALSE(co_await (*idle)->writable());
    EXPECT_FALSE(co_await (*idle)->finish());
    EXPECT_FALSE((*idle)->tell("signal", {}));
    co_await both.client->close();
    both.client.reset();
    EXPECT_FALSE((*idle)->try_write(as_bytes("x")));
    co_await both.end();
}

ALKNET_CO_TEST(SshClientStreams, AreNotAskedForWhereTheConnectionHasOneStream) {
    BothWorld both(loop);
    ALKNET_CO_ASSERT_OK(co_await both.connect(keyed_connection(1, alknet::Transport::tcp)));
    auto channel = co_await both.open();
    ALKNET_CO_ASSERT_OK(channel);
    ALKNET_CO_ASSERT_OK(co_await (*channel)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*both.target)).value(), "up");
    EXPECT_EQ(both.streams(), 1U);
    co_await both.end();
}

// A stock server, whatever it would be reached by, refuses what it does not know.
ALKNET_CO_TEST(SshClientStreams, AServerThatDoesNotKnowThemCarriesItsChannels) {
    HandWorld world(loop);
    world.server->on_event = [&](const ChannelEvent& event) {
        if (event.kind == ChannelEvent::Kind::global) {
            EXPECT_EQ(event.type, kChannelStreams);
            EXPECT_TRUE(world.server->channels.answer_global(false));
        } else if (event.kind == ChannelEvent::Kind::open) {
            EXPECT_TRUE(world.server->channels.accept(event.channel));
            world.server->write(event.channel, "down");
        }
    };
    auto pair = make_memory_connection_pair(keyed_connection());
    auto options = world.options();
    options.connection = pair.client;
    auto client = co_await SshClient::connect(loop, std::move(world.stream), std::move(options));
    ALKNET_CO_ASSERT_OK(client);
    auto channel = co_await (*client)->open_tcp(route_to("db", 1));
    ALKNET_CO_ASSERT_OK(channel);
    EXPECT_EQ((co_await read_some(**channel)).value(), "down");
    EXPECT_EQ(pair.client->stats().streams_total, 0U);
    co_await world.end(**client);
}

ALKNET_CO_TEST(SshClientStreams, AServerThatAgreedAndSpeaksOtherwiseIsLeft) {
    for (const bool without_header : {true, false}) {
        HandWorld world(loop);
        world.server->on_event = [&](const ChannelEvent& event) {
            if (event.kind == ChannelEvent::Kind::global) {
                EXPECT_TRUE(world.server->channels.answer_global(true));
            } else if (event.kind == ChannelEvent::Kind::open) {
                const Bytes header = without_header ? Bytes() : encode_stream_header(7);
                EXPECT_TRUE(world.server->channels.accept(event.channel, header));
                world.server->write(event.channel, "beside");
            }
        };
        auto pair = make_memory_connection_pair(keyed_connection());
        auto options = world.options();
        options.connection = pair.client;
        auto client =
            co_await SshClient::connect(loop, std::move(world.stream), std::move(options));
        ALKNET_CO_ASSERT_OK(client);
        auto channel = co_await (*client)->open_tcp(route_to("db", 1));
        const auto why = co_await (*client)->wait_closed();
        EXPECT_TRUE(!why && why.error().is(causes::kProtocol));
        channel = fail(causes::kClosed);
        co_await world.end(**client);
    }
}

}  // namespace
}  // namespace alknet::ssh
