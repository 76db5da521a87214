#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/call/composition.hpp>
#include <alknet/call/peer_import.hpp>
#include <alknet/rt/combine.hpp>
#include <set>

#include "call_world.hpp"

namespace alknet::call {
namespace {

using testing::HasSubstr;

/// A far node, which can be away, and a near one that imports from it.
class Imports {
public:
    explicit Imports(Loop& on, std::size_t hops_max = 0) : loop(on), scope_(on) {
        registry = std::make_shared<OperationRegistry>();
        import = PeerImport::create(on, options(hops_max));
        registry->add(import->operations());
        far_registry = make_registry(seen);
        Operation countdown = make("test/count", {});
        countdown.kind = Operation::Kind::subscription;
        countdown.subscribe = [](CallContext context, Json, ItemSink& items) {
            return count(context.resume_after.value_or(0), items);
        };
        EXPECT_TRUE(far_registry->add(std::move(countdown)));
        scope_.spawn(import->run(), "import");
    }

    PeerImportOptions options(std::size_t hops_max) {
        PeerImportOptions made;
        made.prefix = "far";
        made.peers = {"office"};
        made.hops_max = hops_max;
        made.dial = [this](std::string) { return dial(); };
        made.still = [this](const std::string&, const Connection&) { return known_here; };
        made.wanted = [this](std::string_view remote) { return !nobody && remote != "test/fail"; };
        made.admit = [this](std::string, std::vector<RemoteOperation> found) {
            return admit(std::move(found));
        };
        made.scope = [](std::string_view name) {
            return identity::Scope::parse_exact("import:call:" + std::string(name));
        };
        return made;
    }

    static task<result<void>> count(std::uint64_t after, ItemSink& items) {
        for (std::uint64_t seq = after + 1; seq <= after + 100; ++seq) {
            Item item{.output = Json(seq), .seq = seq};
            ALKNET_CO_CHECK(co_await items.give(std::move(item)));
        }
        co_return result<void>();
    }

    task<result<std::shared_ptr<Connection>>> dial() {
        ++dials;
        if (!up) {
            co_return fail(causes::kTimeout);
        }
        MemoryConnectionOptions memory;
        memory.alpn = std::string(kCallAlpn);
        const auto pair = make_memory_connection_pair(memory);
        far = pair.server;
        CallAdapterOptions serving;
        serving.registry = far_registry;
        adapter = std::make_shared<CallAdapter>(serving);
        scope_.spawn(serve(adapter, pair.server), "far");
        co_return pair.client;
    }

    /// Aborts whatever it is asked.
    static task<void> abort_all(std::shared_ptr<Connection> connection) {
        auto stream = co_await connection->accept_bi();
        if (!stream) {
            co_return;
        }
        Wire wire(*std::move(stream));
        for (auto asked = co_await wire.next(); asked; asked = co_await wire.next()) {
            (void)co_await wire.send({.id = asked->id, .event = Aborted{}});
        }
        connection->close(0, "");
    }

    task<void> serve(std::shared_ptr<CallAdapter> by, std::shared_ptr<Connection> connection) {
        if (rude) {
            co_await abort_all(connection);
            co_return;
        }
        AuthContext auth;
        auth.identity = known(scopes);
        (void)co_await by->handle(connection, std::move(auth));
        connection->close(0, "");
    }

    task<result<std::vector<RemoteOperation>>> admit(std::vector<RemoteOperation> found) {
        std::erase_if(found,
                      [&](const RemoteOperation& one) { return held_back.contains(one.name); });
        co_return found;
    }

    task<void> settle() { (void)co_await loop.sleep(std::chrono::milliseconds(100)); }
    void lose() {
        up = false;
        far->close(0, "");
    }

    task<result<Json>> call(std::string name, Json input = {}, CallContext context = {}) {
        context.identity = known();
        return registry->call(std::move(name), std::move(context), std::move(input));
    }

    task<void> end() {
        scope_.cancel();
        (void)co_await scope_.join();
        EXPECT_EQ(seen.running, 0);
    }

    Loop& loop;
    Seen seen;
    bool up = true;
    bool known_here = true;
    bool rude = false;
    bool nobody = false;
    std::vector<std::string> scopes = {"*:*:*"};
    std::set<std::string, std::less<>> held_back;
    std::size_t dials = 0;
    std::shared_ptr<OperationRegistry> registry;
    std::shared_ptr<OperationRegistry> far_registry;
    std::shared_ptr<CallAdapter> adapter;
    std::shared_ptr<Connection> far;
    std::unique_ptr<PeerImport> import;

private:
    TaskScope scope_;
};

ALKNET_CO_TEST(PeerImports, AreCalledUnderTheirPrefixByWhomTheScopeAllows) {
    Imports world(loop);
    co_await world.settle();
    EXPECT_TRUE(world.import->status().front().connected);
    EXPECT_EQ(world.import->status().front().offered.size(), 7U);
    EXPECT_FALSE(world.registry->find("far-test/fail", known())) << "nobody wants it";
    const auto refused =
        world.registry->find("far-test/echo", known({"import:call:far-test/wait"}));
    ALKNET_CO_ASSERT(!refused);
    EXPECT_EQ(refused.error().detail(), "import:call:far-test/echo");
    EXPECT_FALSE(world.registry->find("far-test/echo", std::nullopt));
    CallContext context;
    context.deadline = loop.now() + std::chrono::seconds(7);
    context.traceparent = "00-trace";
    context.depth = 3;
    const auto answer = co_await world.call("far-test/echo", "hello", context);
    ALKNET_CO_ASSERT_OK(answer);
    EXPECT_EQ(*answer, "hello");
    ALKNET_CO_ASSERT(world.seen.contexts.size() == 1);
    const CallContext& there = world.seen.contexts.front();
    EXPECT_EQ(there.traceparent, "00-trace");
    EXPECT_EQ(there.depth, 4U);
    EXPECT_LE(there.deadline, context.deadline);
    EXPECT_GE(there.deadline, context.deadline - std::chrono::milliseconds(1));
    co_await world.end();
}

ALKNET_CO_TEST(PeerImports, EndWithTheirDeadlineAndWithAnAbort) {
    Imports world(loop);
    co_await world.settle();
    CallContext context;
    context.deadline = loop.now() + std::chrono::seconds(2);
    const TimePoint before = loop.now();
    const auto late = co_await world.call("far-test/wait", {}, context);
    ALKNET_CO_ASSERT(!late);
    EXPECT_TRUE(late.error().is(errc::timeout));
    EXPECT_LE(loop.now() - before, std::chrono::seconds(3));
    const auto aborted =
        co_await with_timeout(std::chrono::milliseconds(10), world.call("far-test/wait"));
    EXPECT_FALSE(aborted);
    co_await world.settle();
    EXPECT_EQ(world.seen.running, 0);
    EXPECT_EQ(world.seen.cancelled, 2);
    EXPECT_TRUE(world.import->status().front().connected) << "which is nobody else's business";
    co_await world.end();
}

task<void> call_into(Imports& world, std::string name, std::optional<result<Json>>& outcome) {
    outcome = co_await world.call(std::move(name));
}

ALKNET_CO_TEST(PeerImports, AnswerAtOnceWhileTheirPeerIsAwayAndComeBack) {
    Imports world(loop);
    co_await world.settle();
    TaskScope calls(loop);
    std::optional<result<Json>> running;
    calls.spawn(call_into(world, "far-test/wait", running), "call");
    co_await world.settle();
    world.lose();
    (void)co_await calls.join();
    ALKNET_CO_ASSERT(running && !*running);
    EXPECT_TRUE(running->error().is(causes::kImportAway));
    const TimePoint before = loop.now();
    const auto away = co_await world.call("far-test/echo");
    ALKNET_CO_ASSERT(!away);
    EXPECT_TRUE(away.error().is(causes::kImportAway));
    EXPECT_EQ(loop.now(), before);
    EXPECT_FALSE(world.import->status().front().connected);
    world.up = true;
    (void)co_await loop.sleep(PeerImport::kAgainFirst * 2);
    EXPECT_TRUE(co_await world.call("far-test/echo"));
    EXPECT_THAT(world.import->status().front().problem, testing::IsEmpty());
    co_await world.end();
}

ALKNET_CO_TEST(PeerImports, AreDialledLessAndLessUnlessSomebodyCalls) {
    Imports world(loop);
    world.up = false;
    (void)co_await loop.sleep(std::chrono::minutes(10));
    EXPECT_LT(world.dials, 30U);
    const std::size_t before = world.dials;
    EXPECT_FALSE(world.registry->find("far-test/echo", known())) << "never seen";
    EXPECT_EQ(world.import->status().front().problem.empty(), false);
    world.up = true;
    co_await world.import->recheck();
    (void)co_await loop.sleep(PeerImport::kAgainFirst * 2);
    EXPECT_EQ(world.dials, before + 1);
    EXPECT_TRUE(world.import->status().front().connected);
    world.lose();
    (void)co_await loop.sleep(std::chrono::minutes(10));
    world.up = true;
    EXPECT_FALSE(co_await world.call("far-test/echo"));
    (void)co_await loop.sleep(PeerImport::kAgainFirst * 2);
    EXPECT_TRUE(co_await world.call("far-test/echo"));
    co_await world.end();
}

ALKNET_CO_TEST(PeerImports, AreNotEndedByAPeerThatCancelsEverything) {
    Imports world(loop);
    co_await world.settle();
    world.rude = true;
    world.lose();
    world.up = true;
    (void)co_await loop.sleep(std::chrono::seconds(10));
    EXPECT_GT(world.dials, 2U);
    EXPECT_FALSE(world.import->status().front().connected);
    world.rude = false;
    (void)co_await loop.sleep(PeerImport::kAgainLongest * 2);
    EXPECT_TRUE(world.import->status().front().connected);
    co_await world.end();
}

ALKNET_CO_TEST(PeerImports, FollowWhatIsAcceptedAndWhoThePeerIs) {
    Imports world(loop);
    world.held_back = {"test/echo"};
    co_await world.settle();
    EXPECT_FALSE(world.registry->find("far-test/echo", known()));
    EXPECT_EQ(world.import->status().front().held_back, 1U);
    world.held_back.clear();
    co_await world.import->recheck();
    EXPECT_TRUE(world.registry->find("far-test/echo", known()));
    EXPECT_EQ(world.import->status().front().held_back, 0U);
    world.known_here = false;
    world.up = false;
    co_await world.import->recheck();
    co_await world.settle();
    EXPECT_TRUE(world.far->closed().requested());
    EXPECT_FALSE(world.import->status().front().connected);
    co_await world.end();
}

// Nobody rechecks a connection over which a peer still says what it offers.
ALKNET_CO_TEST(PeerImports, OfferNothingOfAPeerThatIsNotThisOneAnyMore) {
    Imports world(loop);
    world.known_here = false;
    (void)co_await loop.sleep(std::chrono::minutes(1));
    EXPECT_GT(world.dials, 1U);
    EXPECT_FALSE(world.registry->find("far-test/echo", known()));
    EXPECT_THAT(world.import->status().front().problem, HasSubstr("not this peer any more"));
    world.known_here = true;
    (void)co_await loop.sleep(PeerImport::kAgainLongest * 2);
    EXPECT_TRUE(co_await world.call("far-test/echo"));
    co_await world.end();
}

ALKNET_CO_TEST(PeerImports, LookAgainNowAndThen) {
    Imports world(loop);
    world.scopes = {"other:scope"};
    co_await world.settle();
    EXPECT_FALSE(world.registry->find("far-test/scoped", known()));
    EXPECT_TRUE(
        world.far_registry->add(make("more/here", [&world](CallContext context, Json input) {
            return echo(world.seen, std::move(context), std::move(input));
        })));
    (void)co_await loop.sleep(PeerImport::kLookAgain * 2);
    EXPECT_TRUE(co_await world.call("far-more/here"));
    EXPECT_EQ(world.dials, 1U);
    co_await world.end();
}

ALKNET_CO_TEST(PeerImports, ConnectAgainWhereTheyAreNobodyYet) {
    Imports world(loop);
    world.nobody = true;
    (void)co_await loop.sleep(std::chrono::minutes(5));
    EXPECT_FALSE(world.import->status().front().connected);
    EXPECT_THAT(world.import->status().front().problem, HasSubstr("does not let this one"));
    world.nobody = false;
    (void)co_await loop.sleep(PeerImport::kAgainLongest * 2);
    EXPECT_TRUE(co_await world.call("far-test/echo"));
    co_await world.end();
}

ALKNET_CO_TEST(PeerImports, SayWhereSomethingIsMissing) {
    Imports world(loop);
    co_await world.settle();
    EXPECT_TRUE(world.registry->find("far-test/scoped", known()));
    world.lose();
    world.scopes = {"other:scope"};
    world.up = true;
    (void)co_await world.call("far-test/echo");
    (void)co_await loop.sleep(PeerImport::kAgainFirst * 2);
    EXPECT_FALSE(world.registry->find("far-test/scoped", known())) << "it is not told of it";
    const auto picky = [](CallContext, Json) -> task<result<Json>> {
        co_return fail(causes::kScopeMissing, "far:scope");
    };
    ALKNET_CO_ASSERT(world.far_registry->add(make("test/picky", picky)));
    (void)co_await loop.sleep(PeerImport::kLookAgain * 2);
    const auto refused = co_await world.call("far-test/picky");
    ALKNET_CO_ASSERT(!refused);
    EXPECT_TRUE(refused.error().is(causes::kImportRefused));
    EXPECT_THAT(refused.error().detail(), HasSubstr("far:scope"));
    co_await world.end();
}

ALKNET_CO_TEST(PeerImports, AreNotMadeOfWhatComesFromTooFar) {
    Imports nearest(loop);
    Imports farther(loop, 1);
    // The far node has an import of its own.
    for (Imports* world : {&nearest, &farther}) {
        Operation imported = make("other/deep", [world](CallContext context, Json input) {
            return echo(world->seen, std::move(context), std::move(input));
        });
        imported.hops = 1;
        EXPECT_TRUE(world->far_registry->add(std::move(imported)));
    }
    co_await nearest.settle();
    EXPECT_FALSE(nearest.registry->find("far-other/deep", known()));
    const auto found = farther.registry->find("far-other/deep", known());
    ALKNET_CO_ASSERT_OK(found);
    EXPECT_EQ((*found)->hops, 2U);
    CallContext context;
    context.depth = Composition::kDepthMax;
    const auto deep = co_await farther.call("far-other/deep", {}, context);
    ALKNET_CO_ASSERT(!deep);
    EXPECT_TRUE(deep.error().is(errc::limit));
    context.depth = Composition::kDepthMax - 1;
    EXPECT_TRUE(co_await farther.call("far-other/deep", {}, context));
    co_await nearest.end();
    co_await farther.end();
}

class Taken final : public ItemSink {
public:
    task<result<void>> give(Item item) override {
        seqs.push_back(item.seq.value_or(0));
        co_return result<void>();
    }
    std::vector<std::uint64_t> seqs{};
};

ALKNET_CO_TEST(PeerImports, HandSubscriptionsOnWithTheirNumbers) {
    Imports world(loop);
    co_await world.settle();
    Taken taken;
    CallContext context;
    context.identity = known();
    context.resume_after = 41;
    const auto ended = co_await world.registry->subscribe("far-test/count", context, {}, taken);
    ALKNET_CO_ASSERT_OK(ended);
    ALKNET_CO_ASSERT(taken.seqs.size() == 100);
    EXPECT_EQ(taken.seqs.front(), 42U);
    EXPECT_EQ(taken.seqs.back(), 141U);
    world.lose();
    co_await world.settle();
    const auto away = co_await world.registry->subscribe("far-test/count", context, {}, taken);
    ALKNET_CO_ASSERT(!away);
    EXPECT_TRUE(away.error().is(causes::kImportAway));
    co_await world.end();
}

// What comes over the wire may be any number.
ALKNET_CO_TEST(CallDepth, IsBoundedOnTheWire) {
    World world(loop);
    const auto client = CallClient::create(loop, world.client);
    CallOptions options;
    options.depth = Composition::kDepthMax;
    EXPECT_TRUE(co_await client->call("test/echo", {}, options));
    EXPECT_EQ(world.seen.contexts.back().depth, Composition::kDepthMax);
    for (const std::size_t depth : {Composition::kDepthMax + 1, SIZE_MAX}) {
        options.depth = depth;
        const auto refused = co_await client->call("test/echo", {}, options);
        ALKNET_CO_ASSERT(!refused);
        EXPECT_TRUE(refused.error().is(errc::limit));
    }
    co_await client->close();
    co_await world.end();
}

}  // namespace
}  // namespace alknet::call
