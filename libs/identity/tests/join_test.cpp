// Both halves of alknet/join on connections in memory and virtual time.
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_invitation.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/identity/join.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <alknet/testing/temp_dir.hpp>

#include "invitation_support.hpp"

namespace alknet::identity {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

struct World {
    explicit World(Loop& on) : loop(on) {
        auto opened = store::Store::open(directory / kStateFile,
                                         {.database = state_options(), .own_thread = false});
        EXPECT_TRUE(opened);
        state = *opened;
    }

    JoinHandlerOptions options() {
        JoinHandlerOptions made;
        made.node = [own = node] { return own; };
        made.state = state;
        made.fixed = [fixed = fixed] { return FixedPeers{.list = fixed}; };
        made.admitted = [](const std::string&) { return true; };
        made.log = Log(sink);
        return made;
    }
    task<result<void>> add(InvitationRecord record) {
        record.expires = loop.wall_now() + minutes(10);
        co_return co_await state->transact([record, now = loop.wall_now()](store::Database& db) {
            return add_invitation(db, record, now);
        });
    }
    task<result<PeerRecord>> confirm(std::string code) {
        co_return co_await state->transact([code, now = loop.wall_now()](store::Database& db) {
            return confirm_claim(db, {}, code, now);
        });
    }
    task<std::vector<PeerRecord>> peers() {
        co_return (co_await state->transact(load_peers)).value().peers;
    }
    task<std::vector<InvitationRecord>> invitations() {
        co_return (co_await state->transact(load_invitations)).value();
    }
    [[nodiscard]] Invitation line(int number, bool confirm = false) const {
        Invitation invitation;
        invitation.node = node;
        invitation.secret = secret_of(number);
        invitation.confirm = confirm;
        return invitation;
    }

    Loop& loop;
    sim::TempDir directory;
    std::shared_ptr<store::Store> state;
    std::shared_ptr<const PeerList> fixed = std::make_shared<const PeerList>();
    std::shared_ptr<sim::MemoryLogSink> sink = std::make_shared<sim::MemoryLogSink>();
    NodeId node = NodeKey::generate()->id();
};

/// One connection: what the handler is given, and what the joiner has.
struct Visit {
    Visit(Loop& loop, JoinHandler& handler, const NodeId& key, int from = 1) : scope(loop) {
        auto [near, far] = net::make_memory_streams();
        StreamConnectionOptions options;
        const auto session = static_cast<std::byte>(from);
        options.exporter = [session](std::string_view label, BytesView, MutableBytes out) {
            EXPECT_EQ(label, kJoinExporterLabel);
            std::ranges::fill(out, session);
            return result<void>();
        };
        client = make_stream_connection(loop, std::move(near), options);
        options.info.server_side = true;
        options.info.remote = SocketAddress::v4({10, 0, 0, static_cast<std::uint8_t>(from)}, 99);
        options.info.peer.kind = PeerIdentity::Kind::raw_key;
        options.info.peer.key = key;
        server = make_stream_connection(loop, std::move(far), options);
        joiner.id = key;
        joiner.name = "bob";
        joiner.compare = [this](const std::string& code) {
            digits = code;
            return result<void>();
        };
        AuthContext auth;
        auth.peer = options.info.peer;
        scope.spawn(serve(handler, auth), "serve");
    }
    task<void> serve(JoinHandler& handler, AuthContext auth) {
        served = co_await handler.handle(server, std::move(auth));
    }
    task<result<Joined>> join(Invitation invitation) {
        answer = co_await spend_invitation(client, std::move(invitation), joiner);
        co_return *answer;
    }
    task<void> join_later(Invitation invitation) { (void)co_await join(std::move(invitation)); }

    std::shared_ptr<Connection> client;
    std::shared_ptr<Connection> server;
    Joiner joiner;
    std::string digits;
    std::optional<result<void>> served;
    std::optional<result<Joined>> answer;
    TaskScope scope;
};

bool refused(const std::optional<result<Joined>>& answer) {
    return answer && !*answer && answer->error().is(causes::kInvitationRefused);
}

ALKNET_CO_TEST(Join, MakesAPeerOfWhoeverHasTheLine) {
    World world(loop);
    ALKNET_CO_ASSERT_OK(co_await world.add(invitation(1)));
    JoinHandler handler(world.options());
    EXPECT_EQ(handler.alpns(), std::vector<std::string>{"alknet/join"});
    Visit visit(loop, handler, NodeKey::generate()->id());
    const auto joined = co_await visit.join(world.line(1));
    ALKNET_CO_ASSERT_OK(joined);
    EXPECT_EQ(joined->name, "bob");
    EXPECT_EQ(joined->scopes, std::vector<std::string>{"git:read:*"});
    EXPECT_EQ((co_await world.peers()).size(), 1U);
    (void)co_await visit.scope.join();
    EXPECT_TRUE(visit.served && *visit.served);
    EXPECT_EQ(world.sink->count("invitation.joined"), 1U);
}

ALKNET_CO_TEST(Join, AnswersOnceTheNodeLetsItIn) {
    World world(loop);
    ALKNET_CO_ASSERT_OK(co_await world.add(invitation(1)));
    bool admitted = false;
    int changes = 0;
    JoinHandlerOptions options = world.options();
    options.admitted = [&](const std::string&) { return admitted; };
    options.changed = [&] { ++changes; };
    options.admit_timeout = minutes(1);
    JoinHandler handler(options);
    Visit visit(loop, handler, NodeKey::generate()->id());
    visit.scope.spawn(visit.join_later(world.line(1)), "join");
    (void)co_await loop.sleep(seconds(5));
    EXPECT_FALSE(visit.answer);
    EXPECT_EQ(changes, 1);
    admitted = true;
    (void)co_await visit.scope.join();
    EXPECT_TRUE(visit.answer && *visit.answer);
}

ALKNET_CO_TEST(Join, GivesStrangersOneAnswer) {
    World world(loop);
    InvitationRecord bobs = invitation(1);
    bobs.only_for = new_key();
    ALKNET_CO_ASSERT_OK(co_await world.add(bobs));
    ALKNET_CO_ASSERT_OK(co_await world.add(invitation(2)));
    ALKNET_CO_ASSERT_OK(co_await world.add(invitation(3)));
    JoinHandler handler(world.options());
    Visit thief(loop, handler, NodeKey::generate()->id());
    EXPECT_TRUE(co_await thief.join(world.line(2)));
    std::vector<Bytes> answers;
    // For another key, spent, unknown; then ended.
    for (const int number : {1, 2, 4, 3}) {
        if (number == 3) {
            (void)co_await loop.sleep(minutes(11));
        }
        Visit visit(loop, handler, NodeKey::generate()->id());
        auto stream = co_await visit.client->open_bi();
        ALKNET_CO_ASSERT_OK(stream);
        const Bytes ask = encode_join(JoinAsk{.secret = secret_of(number), .name = "bob"});
        ALKNET_CO_ASSERT_OK(co_await (*stream)->write(ask));
        Bytes& answer = answers.emplace_back(100);
        const auto size = co_await (*stream)->read(answer);
        ALKNET_CO_ASSERT_OK(size);
        answer.resize(*size);
        (void)co_await (*stream)->finish();
        (void)co_await visit.scope.join();
    }
    const Bytes refusal = encode_join(JoinRefused());
    EXPECT_EQ(answers, std::vector<Bytes>(4, refusal));
    EXPECT_EQ(world.sink->count("invitation.alarm"), 2U);
    EXPECT_EQ(world.sink->count("invitation.refused"), 2U);
    EXPECT_EQ((co_await world.peers()).size(), 1U);
}

ALKNET_CO_TEST(Join, TellsAThiefsVictim) {
    World world(loop);
    ALKNET_CO_ASSERT_OK(co_await world.add(invitation(1)));
    JoinHandler handler(world.options());
    Visit thief(loop, handler, NodeKey::generate()->id());
    EXPECT_TRUE(co_await thief.join(world.line(1)));
    Visit victim(loop, handler, NodeKey::generate()->id(), 2);
    EXPECT_FALSE(co_await victim.join(world.line(1)));
    EXPECT_TRUE(refused(victim.answer));
    EXPECT_EQ(world.sink->last("invitation.alarm")->level, LogLevel::error);
    EXPECT_EQ((co_await world.invitations()).at(0).alarms, 1U);
}

ALKNET_CO_TEST(Join, LetsOneOfTwoRacersIn) {
    World world(loop);
    ALKNET_CO_ASSERT_OK(co_await world.add(invitation(1)));
    JoinHandler one(world.options());
    JoinHandler other(world.options());  // of another loop
    Visit first(loop, one, NodeKey::generate()->id());
    Visit second(loop, other, NodeKey::generate()->id(), 2);
    first.scope.spawn(first.join_later(world.line(1)), "join");
    second.scope.spawn(second.join_later(world.line(1)), "join");
    (void)co_await first.scope.join();
    (void)co_await second.scope.join();
    ALKNET_CO_ASSERT(first.answer && second.answer);
    EXPECT_NE(first.answer->has_value(), second.answer->has_value());
    EXPECT_TRUE(refused(first.answer) || refused(second.answer));
    EXPECT_EQ((co_await world.peers()).size(), 1U);
}

ALKNET_CO_TEST(Join, WaitsUntilTheDigitsAreConfirmed) {
    World world(loop);
    InvitationRecord record = invitation(1, {"*:*:*"});
    record.confirm = true;
    ALKNET_CO_ASSERT_OK(co_await world.add(record));
    JoinHandler handler(world.options());
    const NodeId key = NodeKey::generate()->id();
    Visit visit(loop, handler, key);
    visit.scope.spawn(visit.join_later(world.line(1, true)), "join");
    (void)co_await loop.sleep(minutes(3));
    EXPECT_FALSE(visit.answer);
    EXPECT_TRUE((co_await world.peers()).empty());
    EXPECT_EQ(visit.digits, join_code(world.node, key, Bytes(kJoinExporterBytes, std::byte{1})));
    EXPECT_EQ(world.sink->last("invitation.waiting")->field("digits"), visit.digits);
    ALKNET_CO_ASSERT_OK(co_await world.confirm(visit.digits));
    (void)co_await visit.scope.join();
    ALKNET_CO_ASSERT(visit.answer && *visit.answer);
    EXPECT_EQ((*visit.answer)->scopes, std::vector<std::string>{"*:*:*"});
}

ALKNET_CO_TEST(Join, EndsWithoutAConfirmation) {
    World world(loop);
    InvitationRecord record = invitation(1);
    record.confirm = true;
    ALKNET_CO_ASSERT_OK(co_await world.add(record));
    JoinHandlerOptions options = world.options();
    options.confirm_timeout = minutes(2);
    JoinHandler handler(options);
    for (int from = 1; from < 3; ++from) {
        Visit visit(loop, handler, NodeKey::generate()->id(), from);
        EXPECT_FALSE(co_await visit.join(world.line(1, true)));
        EXPECT_TRUE(refused(visit.answer));
        (void)co_await visit.scope.join();
    }
    EXPECT_TRUE((co_await world.peers()).empty());
    // A line that promises no digits and a node that wants them do not belong together.
    Visit visit(loop, handler, NodeKey::generate()->id(), 3);
    const auto odd = co_await visit.join(world.line(1, false));
    EXPECT_TRUE(!odd && odd.error().is(causes::kProtocol));
    visit.client->close(0, "");
    (void)co_await visit.scope.join();
}

ALKNET_CO_TEST(Join, LetsOnlySoManyWait) {
    World world(loop);
    InvitationRecord record = invitation(1);
    record.confirm = true;
    ALKNET_CO_ASSERT_OK(co_await world.add(record));
    JoinHandlerOptions options = world.options();
    options.waiting_max = 1;
    options.connections_max = 2;
    JoinHandler handler(options);
    Visit first(loop, handler, NodeKey::generate()->id(), 1);
    first.scope.spawn(first.join_later(world.line(1, true)), "join");
    (void)co_await loop.sleep(seconds(1));
    {
        Visit second(loop, handler, NodeKey::generate()->id(), 2);
        EXPECT_FALSE(co_await second.join(world.line(1, true)));
        EXPECT_TRUE(refused(second.answer));
        (void)co_await second.scope.join();
    }
    Visit silent(loop, handler, NodeKey::generate()->id(), 3);
    (void)co_await loop.sleep(seconds(1));
    Visit third(loop, handler, NodeKey::generate()->id(), 4);
    (void)co_await loop.sleep(seconds(1));
    EXPECT_TRUE(third.served && !*third.served && third.served->error().is(causes::kLimit));
    // Whoever says nothing is sent away.
    (void)co_await loop.sleep(seconds(20));
    EXPECT_TRUE(silent.served && !*silent.served && silent.served->error().is(causes::kTimeout));
    (void)co_await first.scope.join();
    EXPECT_TRUE(refused(first.answer));
}

ALKNET_CO_TEST(Join, CountsGuesses) {
    World world(loop);
    ALKNET_CO_ASSERT_OK(co_await world.add(invitation(1)));
    JoinHandler handler(world.options());
    for (std::uint32_t i = 0; i < GuessLimit::kGuessesMax; ++i) {
        Visit guess(loop, handler, NodeKey::generate()->id());
        EXPECT_FALSE(co_await guess.join(world.line(9)));
        (void)co_await guess.scope.join();
    }
    {
        Visit late(loop, handler, NodeKey::generate()->id());
        EXPECT_FALSE(co_await late.join(world.line(1)));
        EXPECT_TRUE(refused(late.answer));
        (void)co_await late.scope.join();
    }
    EXPECT_TRUE((co_await world.peers()).empty());
    (void)co_await loop.sleep(GuessLimit::kWindow);
    Visit later(loop, handler, NodeKey::generate()->id());
    EXPECT_TRUE(co_await later.join(world.line(1)));
}

TEST(GuessLimit, RemembersSoManyAddresses) {
    GuessLimit limit;
    const TimePoint now{seconds(5)};
    const auto address = [](std::uint32_t i) {
        return SocketAddress::v4(
            {10, 0, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}, 7);
    };
    for (std::uint32_t i = 0; i < GuessLimit::kGuessesMax; ++i) {
        EXPECT_FALSE(limit.exceeded(address(0), now));
        limit.count(address(0), now);
    }
    EXPECT_TRUE(limit.exceeded(address(0).with_port(8), now));
    EXPECT_FALSE(limit.exceeded(address(1), now));
    EXPECT_FALSE(limit.exceeded(address(0), now + GuessLimit::kWindow));
    for (std::uint32_t i = 1; i <= GuessLimit::kAddressesMax; ++i) {
        limit.count(address(i), now + seconds(1));
    }
    EXPECT_EQ(limit.size(), GuessLimit::kAddressesMax);
    EXPECT_FALSE(limit.exceeded(address(0), now));
}

ALKNET_CO_TEST(Join, KnowsWhoIsKnownAndRefusesWhoHasNoKey) {
    World world(loop);
    const NodeId key = NodeKey::generate()->id();
    PeerList list;
    list.peers = {peer("robert", {key.fingerprint()})};
    world.fixed = std::make_shared<const PeerList>(list);
    ALKNET_CO_ASSERT_OK(co_await world.add(invitation(1)));
    JoinHandler handler(world.options());
    Visit visit(loop, handler, key);
    const auto joined = co_await visit.join(world.line(1));
    ALKNET_CO_ASSERT_OK(joined);
    EXPECT_TRUE(joined->known_before);
    (void)co_await visit.scope.join();

    Visit other(loop, handler, NodeKey::generate()->id());
    other.scope.cancel();
    (void)co_await other.scope.join();
    auto [near, far] = net::make_memory_streams();
    auto client = make_stream_connection(loop, std::move(near), {});
    StreamConnectionOptions options;
    options.info.server_side = true;
    auto server = make_stream_connection(loop, std::move(far), options);
    TaskScope scope(loop);
    scope.spawn(handler.handle(server, AuthContext()), "serve");
    const auto refusal = co_await spend_invitation(client, world.line(1), other.joiner);
    EXPECT_TRUE(!refusal && refusal.error().is(causes::kInvitationRefused));
    (void)co_await scope.join();
}

ALKNET_CO_TEST(Join, RefusesMessagesThatAreNotForIt) {
    World world(loop);
    JoinHandler handler(world.options());
    for (const Bytes& bytes : {encode_join(JoinKnown()), Bytes{std::byte{9}, {}, {}}, Bytes()}) {
        Visit visit(loop, handler, NodeKey::generate()->id());
        auto stream = co_await visit.client->open_bi();
        ALKNET_CO_ASSERT_OK(stream);
        if (!bytes.empty()) {
            ALKNET_CO_ASSERT_OK(co_await (*stream)->write(bytes));
        }
        ALKNET_CO_ASSERT_OK(co_await (*stream)->finish());
        (void)co_await visit.scope.join();
        EXPECT_TRUE(visit.served && !*visit.served);
        EXPECT_TRUE(visit.served->error().is(causes::kProtocol));
    }
    // Nor does the joiner take what only joiners say.
    auto [near, far] = net::make_memory_streams();
    const auto client = make_stream_connection(loop, std::move(near), {});
    const Bytes ask = encode_join(JoinAsk{.secret = {}, .name = "bob"});
    ALKNET_CO_ASSERT_OK(co_await far->write(ask));
    Joiner joiner;
    joiner.name = "bob";
    const auto odd = co_await spend_invitation(client, world.line(1), joiner);
    EXPECT_TRUE(!odd && odd.error().is(causes::kProtocol));
}

}  // namespace
}  // namespace alknet::identity
