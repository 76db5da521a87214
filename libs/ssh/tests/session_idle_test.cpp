// Sessions that last, and those that do nothing.
#include <malloc.h>
#include <array>
#include <cstdio>

#include "session_world.hpp"

namespace alknet::ssh {
namespace {

using Kind = ChannelEvent::Kind;
using std::chrono::hours;
using std::chrono::minutes;

task<void> echo(ByteStream& target) {
    Bytes buffer(64 << 10);
    for (;;) {
        const auto size = co_await target.read(buffer);
        if (!size || *size == 0 || !co_await target.write(BytesView(buffer).first(*size))) {
            co_return;
        }
    }
}

/// Octets of which none can be taken for its neighbours.
std::string piece_at(std::size_t place, std::size_t size) {
    std::string piece(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        const std::size_t at = place + i;
        piece[i] = static_cast<char>(at ^ (at >> 8) ^ (at >> 16));
    }
    return piece;
}

/// A channel that gives back what is written there, whatever keys there are.
struct Echoed {
    TestClient& client;
    ChannelId id = 0;
    std::size_t sent = 0;
    std::size_t came = 0;

    task<result<void>> take_one() {
        ALKNET_CO_TRY(const Happened event, co_await client.event());
        if (event.kind == Kind::data) {
            EXPECT_TRUE(event.text == piece_at(came, event.text.size())) << came;
            came += event.text.size();
            ALKNET_CO_CHECK(client.channels.consumed(id, event.text.size()));
        }
        co_return result<void>();
    }
    /// Asks for new keys in the middle of it, if `rekey`.
    task<result<void>> give(std::size_t size, bool rekey) {
        const std::size_t goal = sent + size;
        while (came < goal) {
            const std::size_t room = client.transport.ready() ? client.channels.sendable(id) : 0;
            const std::size_t now = std::min({room, goal - sent, std::size_t{32} << 10});
            if (now == 0) {
                ALKNET_CO_CHECK(co_await take_one());
                continue;
            }
            client.write(id, piece_at(sent, now));
            sent += now;
            if (std::exchange(rekey, false)) {
                client.transport.rekey();
            }
        }
        co_return result<void>();
    }
    /// Reads on until then.
    task<result<void>> rest(Loop& loop, TimePoint until) {
        while (loop.now() < until) {
            const auto went = co_await with_timeout(until - loop.now(), take_one());
            if (!went && !went.error().is(errc::timeout)) {
                co_return unexpected(went.error());
            }
        }
        co_return result<void>();
    }
};

// The server asks for new keys every hour, and the client whenever it likes; nothing is lost.
ALKNET_CO_TEST(SshSession, CarriesAllThroughADayOfKeys) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const auto id = client->open("db", 1);
    ALKNET_CO_ASSERT_OK(id);
    EXPECT_EQ((co_await client->event()).value().kind, Kind::opened);
    world.serving.spawn(echo(*world.network->targets.at(0)), "target");
    Echoed channel{.client = *client, .id = *id};
    const TimePoint began = loop.now();
    std::uint64_t asked = 0;
    for (Duration at{}; at < hours(24); at += minutes(20)) {
        const bool rekey = at % hours(2) == minutes(40);
        asked += rekey ? 1 : 0;
        ALKNET_CO_ASSERT_OK(co_await channel.give(256 << 10, rekey));
        ALKNET_CO_ASSERT_OK(co_await channel.rest(loop, began + at + minutes(20)));
    }
    EXPECT_EQ(channel.came, 72U * (256U << 10));
    EXPECT_GE(client->transport.exchanges(), 1 + asked + 12) << "those of the server too";
    client->end();
    co_await world.end();
}

/// Reads, as a session does, and has nothing else.
class Quiet final : public StreamHandler {
public:
    [[nodiscard]] std::vector<std::string> alpns() const override { return {"test/quiet"}; }

private:
    task<result<void>> handle_stream(BiStream& stream, const StreamContext&) override {
        std::array<std::byte, 1> octet{};
        while (co_await stream.read(octet)) {
        }
        co_return result<void>();
    }
};

constexpr std::size_t kSessions = 64;

std::size_t given_back_since(std::size_t before) {
    const std::size_t now = mallinfo2().uordblks;
    return (before - std::min(before, now)) / kSessions;
}

/// What a stream of a connection in memory and its handler give back when they end.
task<std::size_t> cost_of_quiet(Loop& loop) {
    Quiet quiet;
    TaskScope serving(loop);
    std::vector<std::shared_ptr<Connection>> clients;
    std::vector<std::unique_ptr<BiStream>> streams;
    for (std::size_t i = 0; i < kSessions; ++i) {
        auto pair = make_memory_connection_pair(MemoryConnectionOptions());
        serving.spawn(quiet.handle(pair.server, {}), "quiet");
        clients.push_back(std::move(pair.client));
        auto opened = co_await clients.back()->open_bi();
        EXPECT_TRUE(opened && co_await (*opened)->write(as_bytes("x")));
        streams.push_back(*std::move(opened));
    }
    co_await loop.yield();
    const std::size_t before = mallinfo2().uordblks;
    serving.cancel();
    (void)co_await serving.join();
    co_return given_back_since(before);
}

// What is given back when they end, and their clients stay. Without optimization the frames of
// tasks are larger than those of a node, for which `./dev bench --ssh` has the figure.
ALKNET_CO_TEST(SshSession, WaitsInLittleMemory) {
    constexpr std::size_t kMost = 24 << 10;
    const std::size_t besides = co_await cost_of_quiet(loop);
    SshWorld world(loop);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (std::size_t i = 0; i < kSessions; ++i) {
        clients.push_back(world.client());
        ALKNET_CO_ASSERT_OK(co_await clients.back()->start());
    }
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(kQuietTime / 2));
    EXPECT_EQ(world.adapter->sessions(), kSessions);
    const std::size_t before = mallinfo2().uordblks;
    co_await world.end();
    const std::size_t each = given_back_since(before);
    std::printf("an idle session: %zu octets of memory, and %zu of its stream\n",
                each - std::min(each, besides), besides);
    EXPECT_LE(each - std::min(each, besides), kMost);
    for (const auto& client : clients) {
        client->end();
    }
}

}  // namespace
}  // namespace alknet::ssh
