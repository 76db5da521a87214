// Both halves of alknet/rotate on connections in memory and virtual time.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/identity/key_use.hpp>
#include <alknet/identity/rotate.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <optional>

#include "rotation_support.hpp"

namespace alknet::identity {
namespace {

using Type = RotateMessage::Type;

struct Told final : AuditSink {
    void record(AuditEntry entry) noexcept override { entries.push_back(std::move(entry)); }
    [[nodiscard]] result<void> ready() const override { return {}; }
    std::vector<AuditEntry> entries;
};

struct World {
    explicit World(Loop& on) : loop(on) {
        state = store::Store::open(directory / kStateFile,
                                   {.database = state_options(), .own_thread = false})
                    .value();
        auto list = std::make_shared<PeerList>();
        list->peers = {peer("alice", {key_text(0)})};
        fixed = list;
    }
    RotateHandlerOptions options() {
        RotateHandlerOptions made;
        made.own = [this] { return own; };
        made.state = state;
        made.fixed = [this] { return fixed; };
        made.changed = [this] { ++changes; };
        made.log = Log(sink);
        made.audit = told;
        return made;
    }
    Rotation now_from_to(std::uint8_t from, std::uint8_t to) const {
        return from_to(from, to, loop.wall_now());
    }
    task<std::vector<KeyChange>> accepted() {
        co_return (co_await state->transact(load_key_changes)).value();
    }

    Loop& loop;
    sim::TempDir directory;
    std::shared_ptr<store::Store> state;
    std::shared_ptr<const PeerList> fixed;
    std::shared_ptr<sim::MemoryLogSink> sink = std::make_shared<sim::MemoryLogSink>();
    std::shared_ptr<Told> told = std::make_shared<Told>();
    std::vector<Rotation> own;
    int changes = 0;
};

/// A connection of somebody with this key.
struct Visit {
    Visit(Loop& loop, RotateHandler& handler, std::uint8_t key) : scope(loop) {
        auto [near, far] = net::make_memory_streams();
        StreamConnectionOptions options;
        client = make_stream_connection(loop, std::move(near), options);
        options.info.server_side = true;
        server = make_stream_connection(loop, std::move(far), options);
        AuthContext auth;
        auth.peer.kind = PeerIdentity::Kind::raw_key;
        auth.peer.key = key_number(key)->id();
        scope.spawn(serve(handler, std::move(auth)), "serve");
    }
    task<void> serve(RotateHandler& handler, AuthContext auth) {
        served = co_await handler.handle(server, std::move(auth));
    }

    std::shared_ptr<Connection> client;
    std::shared_ptr<Connection> server;
    std::optional<result<void>> served;
    TaskScope scope;
};

TEST(RotateFrames, HaveOneForm) {
    const RotateMessage tell{.type = Type::tell, .chain = chain_of(kRotationChainMax)};
    const Bytes octets = encode_rotate(tell);
    EXPECT_EQ(octets.size(), kRotateBytesMax);
    for (std::size_t size = 0; size < octets.size(); ++size) {
        const auto more = decode_rotate(BytesView(octets).first(size));
        ASSERT_TRUE(more && !more->has_value()) << size;
    }
    EXPECT_EQ(**decode_rotate(octets), tell);
    EXPECT_EQ(encode_rotate({}), (Bytes{std::byte{1}, std::byte{0}}));
    const auto refused = [](const RotateMessage& message, Bytes behind = {}) {
        Bytes bad = encode_rotate(message);
        bad.insert(bad.end(), behind.begin(), behind.end());
        const auto outcome = decode_rotate(bad);
        return !outcome && outcome.error().is(causes::kProtocol);
    };
    EXPECT_TRUE(refused({.type = Type::ask, .chain = chain_of(1)}));
    EXPECT_TRUE(refused({.type = Type::heard, .chain = chain_of(1)}));
    EXPECT_TRUE(refused({.type = Type::tell}));
    EXPECT_TRUE(refused({.type = Type::tell, .chain = chain_of(kRotationChainMax + 1)}));
    EXPECT_TRUE(refused({.type = Type::answer, .chain = chain_of(kRotationChainMax + 1)}));
    EXPECT_TRUE(refused({.type = static_cast<Type>(0)}));
    EXPECT_TRUE(refused({.type = static_cast<Type>(5)}));
    EXPECT_TRUE(refused({}, {std::byte{0}}));
    EXPECT_TRUE(refused({.type = Type::answer, .chain = {from_to(0, 1), from_to(2, 3)}}));
    Bytes no_key = encode_rotate({.type = Type::answer, .chain = chain_of(1)});
    std::fill_n(no_key.begin() + 2, 32, std::byte{0});
    EXPECT_FALSE(decode_rotate(no_key));
}

TEST(Chain, LeadsFromOneKeyToTheOther) {
    const std::vector<Rotation> all = chain_of(kRotationChainMax + 1);
    const auto id = [](std::size_t number) {
        return key_number(static_cast<std::uint8_t>(number))->id();
    };
    EXPECT_EQ(chain_between(all, id(0), id(kRotationChainMax), kBegin)->size(), kRotationChainMax);
    EXPECT_FALSE(chain_between(all, id(0), id(kRotationChainMax + 1), kBegin));
    EXPECT_EQ(chain_between(all, id(2), id(4), kBegin)->front(), all[2]);
    EXPECT_FALSE(chain_between(all, id(4), id(2), kBegin));
    EXPECT_FALSE(chain_between(all, id(20), id(2), kBegin));
    EXPECT_FALSE(chain_between(all, id(2), id(20), kBegin));
    EXPECT_FALSE(chain_between(all, id(0), id(1), kBegin + kMonth));
    EXPECT_FALSE(chain_between({}, id(0), id(1), kBegin));
    const std::vector<Rotation> gap = {from_to(0, 1), from_to(2, 3)};
    EXPECT_FALSE(chain_between(gap, id(0), id(3), kBegin));
}

ALKNET_CO_TEST(Rotate, TellsWhoeverAsks) {
    World world(loop);
    RotateHandler handler(world.options());
    Visit first(world.loop, handler, 9);
    const auto nothing = co_await ask_rotations(first.client);
    ALKNET_CO_ASSERT_OK(nothing);
    EXPECT_TRUE(nothing->empty());
    world.own = chain_of(2);
    Visit second(world.loop, handler, 9);
    const auto all = co_await ask_rotations(second.client);
    ALKNET_CO_ASSERT_OK(all);
    EXPECT_EQ(*all, world.own);
    EXPECT_TRUE(world.told->entries.empty());
}

ALKNET_CO_TEST(Rotate, BelievesWhoeverHasOneOfTheKeys) {
    World world(loop);
    RotateHandler handler(world.options());
    const std::vector<Rotation> news = {world.now_from_to(0, 1)};
    // Somebody else's word.
    Visit stranger(world.loop, handler, 9);
    ALKNET_CO_ASSERT_OK(co_await tell_rotations(stranger.client, news));
    EXPECT_TRUE((co_await world.accepted()).empty());
    ALKNET_CO_ASSERT(world.told->entries.size() == 1U);
    EXPECT_EQ(world.told->entries[0].event, "peer.key_refused");
    for (const std::uint8_t key : {std::uint8_t{0}, std::uint8_t{1}}) {
        Visit visit(world.loop, handler, key);
        ALKNET_CO_ASSERT_OK(co_await tell_rotations(visit.client, news));
        EXPECT_EQ((co_await world.accepted()).size(), 1U);
    }
    EXPECT_EQ(world.changes, 1);  // the second time it was known
    ALKNET_CO_ASSERT(world.told->entries.size() == 2U);
    EXPECT_EQ(world.told->entries[1].event, "peer.key_changed");
    EXPECT_EQ(world.told->entries[1].peer, "alice");
}

ALKNET_CO_TEST(Rotate, SaysTheSameToStrangers) {
    World world(loop);
    RotateHandler handler(world.options());
    Visit stranger(world.loop, handler, 5);
    ALKNET_CO_ASSERT_OK(co_await tell_rotations(stranger.client, {world.now_from_to(5, 6)}));
    EXPECT_TRUE((co_await world.accepted()).empty());
    ALKNET_CO_ASSERT(world.told->entries.size() == 1U);
    EXPECT_EQ(world.told->entries[0].detail, "no peer has the key that goes");
    EXPECT_EQ(world.changes, 0);
}

ALKNET_CO_TEST(Rotate, WaitsForNobodyLong) {
    World world(loop);
    RotateHandler handler(world.options());
    Visit silent(world.loop, handler, 9);
    ALKNET_CO_ASSERT_OK(co_await world.loop.sleep(kRotateTimeout + std::chrono::seconds(1)));
    ALKNET_CO_ASSERT(silent.served && !*silent.served);
    EXPECT_TRUE(silent.served->error().is(causes::kTimeout));
}

ALKNET_CO_TEST(Rotate, ServesSoManyAtATime) {
    World world(loop);
    RotateHandlerOptions options = world.options();
    options.connections_max = 1;
    RotateHandler handler(std::move(options));
    Visit first(world.loop, handler, 9);
    ALKNET_CO_ASSERT_OK(co_await world.loop.sleep(std::chrono::seconds(1)));
    Visit second(world.loop, handler, 9);
    ALKNET_CO_ASSERT_OK(co_await world.loop.sleep(std::chrono::seconds(1)));
    ALKNET_CO_ASSERT(second.served && !*second.served);
    EXPECT_TRUE(second.served->error().is(causes::kLimit));
    ALKNET_CO_ASSERT_OK(co_await ask_rotations(first.client));
}

ALKNET_CO_TEST(Rotate, RefusesWhatOnlyTheNodeSays) {
    World world(loop);
    RotateHandler handler(world.options());
    Visit visit(world.loop, handler, 9);
    const auto stream = co_await visit.client->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    const Bytes heard = encode_rotate({.type = Type::heard});
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(heard));
    ALKNET_CO_ASSERT_OK(co_await world.loop.sleep(std::chrono::seconds(1)));
    ALKNET_CO_ASSERT(visit.served && !*visit.served);
    EXPECT_TRUE(visit.served->error().is(causes::kProtocol));
}

ALKNET_CO_TEST(KeyUse, EndsTheOldKeyOnce) {
    World world(loop);
    const auto read = [](World& from, std::vector<KeyChange> changes) {
        PeerList list = *from.fixed;
        list.changes = std::move(changes);
        return directory(std::move(list));
    };
    const auto peers =
        std::make_shared<ConfigIdentityProvider>(world.loop.clock(), read(world, {}));
    KeyUse use(peers, {.peers = peers,
                       .state = world.state,
                       .changed = [&world] { ++world.changes; },
                       .log = Log(world.sink)});
    EXPECT_TRUE((co_await use.resolve_from_fingerprint(key_text(0))).value());
    const Rotation rotation = world.now_from_to(0, 1);
    const auto accepted = co_await world.state->transact(
        [rotation, fixed = world.fixed, now = world.loop.wall_now()](store::Database& state) {
            return accept_key_change(state, *fixed, std::array{rotation}, now);
        });
    ALKNET_CO_ASSERT_OK(accepted);
    peers->replace(read(world, co_await world.accepted()));
    // Both come in, and the old one does not end the new one.
    EXPECT_TRUE((co_await use.resolve_from_fingerprint(key_text(0))).value());
    EXPECT_EQ(world.changes, 0);
    EXPECT_TRUE((co_await use.resolve_from_fingerprint(key_text(1))).value());
    EXPECT_EQ(world.changes, 1);
    EXPECT_TRUE((co_await use.resolve_from_fingerprint(key_text(1))).value());
    EXPECT_EQ(world.changes, 1);
    peers->replace(read(world, co_await world.accepted()));
    EXPECT_FALSE((co_await use.resolve_from_fingerprint(key_text(0))).value());
    EXPECT_TRUE((co_await use.resolve_from_fingerprint(key_text(1))).value());
    EXPECT_FALSE((co_await use.resolve_from_fingerprint(key_text(2))).value());
}

ALKNET_CO_TEST(KeyUse, TheOldKeyEndsWithItsTime) {
    World world(loop);
    PeerList list = *world.fixed;
    const WallTime end = world.loop.wall_now() + std::chrono::hours(1);
    list.changes = {{.from = key_number(0)->id(), .to = key_number(1)->id(), .ends = end}};
    ConfigIdentityProvider peers(world.loop.clock(), directory(std::move(list)));
    EXPECT_EQ(peers.next_change(world.loop.wall_now()), end);
    EXPECT_TRUE((co_await peers.resolve_from_fingerprint(key_text(0))).value());
    ALKNET_CO_ASSERT_OK(co_await world.loop.sleep(std::chrono::hours(1)));
    EXPECT_FALSE((co_await peers.resolve_from_fingerprint(key_text(0))).value());
    EXPECT_TRUE((co_await peers.resolve_from_fingerprint(key_text(1))).value());
}

}  // namespace
}  // namespace alknet::identity
