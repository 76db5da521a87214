#include <gmock/gmock.h>
#include <alknet/call/peer_import.hpp>
#include <map>

#include "call_world.hpp"

namespace alknet::call {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// One of the nodes that are imported from.
struct Far {
    Seen seen{};
    int written = 0;
    bool up = true;
    std::shared_ptr<OperationRegistry> registry = make_registry(seen);
    std::shared_ptr<CallAdapter> adapter{};
    std::shared_ptr<Connection> connection{};
};

task<result<Json>> write_down(Far& far, std::string name, bool end) {
    ++far.written;
    if (!end) {
        ALKNET_CO_CHECK(co_await wait_for(far.seen, Duration::max()));
    }
    co_return name;
}

task<result<void>> tell_name(std::string name, ItemSink& items) {
    co_return co_await items.give({.output = name});
}

class Several {
public:
    explicit Several(Loop& on) : loop(on), scope_(on) {
        for (const std::string name : {"office", "lab"}) {
            fill(name, fars[name]);
        }
    }
    void start() {
        PeerImportOptions options;
        options.prefix = "any";
        options.peers = {"office", "lab"};
        options.dial = [this](std::string peer) { return dial(std::move(peer)); };
        options.still = [](const std::string&, const Connection&) { return true; };
        options.wanted = [](std::string_view) { return true; };
        options.admit = [](std::string, std::vector<RemoteOperation> found) {
            return admit(std::move(found));
        };
        options.scope = [](std::string_view) { return identity::Scope::parse_exact("any:call"); };
        import = PeerImport::create(loop, std::move(options));
        registry->add(import->operations());
        scope_.spawn(import->run(), "import");
    }

    static void fill(const std::string& name, Far& far) {
        EXPECT_TRUE(far.registry->add(
            make("node/name", [name](CallContext, Json) { return named(name); })));
        for (const bool end : {true, false}) {
            Operation mutation =
                make(end ? "node/write" : "node/write-long",
                     [&far, name, end](CallContext, Json) { return write_down(far, name, end); });
            mutation.kind = Operation::Kind::mutation;
            EXPECT_TRUE(far.registry->add(std::move(mutation)));
        }
        Operation watch = make("node/watch", {});
        watch.kind = Operation::Kind::subscription;
        watch.subscribe = [name](CallContext, Json, ItemSink& items) {
            return tell_name(name, items);
        };
        EXPECT_TRUE(far.registry->add(std::move(watch)));
    }
    static task<result<Json>> named(std::string name) { co_return name; }
    static task<result<std::vector<RemoteOperation>>> admit(std::vector<RemoteOperation> found) {
        co_return found;
    }
    task<result<std::shared_ptr<Connection>>> dial(std::string peer) {
        Far& far = fars[peer];
        if (!far.up) {
            co_return fail(causes::kTimeout);
        }
        MemoryConnectionOptions memory;
        memory.alpn = std::string(kCallAlpn);
        const auto pair = make_memory_connection_pair(memory);
        far.connection = pair.server;
        CallAdapterOptions serving;
        serving.registry = far.registry;
        far.adapter = std::make_shared<CallAdapter>(serving);
        scope_.spawn(serve(far.adapter, pair.server), "far");
        co_return pair.client;
    }
    static task<void> serve(std::shared_ptr<CallAdapter> by,
                            std::shared_ptr<Connection> connection) {
        AuthContext auth;
        auth.identity = known();
        (void)co_await by->handle(connection, std::move(auth));
        connection->close(0, "");
    }

    task<result<Json>> call(std::string name) {
        CallContext context;
        context.identity = known();
        return registry->call(std::move(name), std::move(context), Json());
    }
    task<std::string> answer(std::string name) {
        const auto outcome = co_await call(std::move(name));
        co_return outcome ? *outcome->as_string() : outcome.error().message();
    }
    task<void> settle() { (void)co_await loop.sleep(std::chrono::milliseconds(100)); }
    void lose(const std::string& name) {
        fars[name].up = false;
        fars[name].connection->close(0, "");
    }
    task<void> end() {
        scope_.cancel();
        (void)co_await scope_.join();
    }

    Loop& loop;
    std::map<std::string, Far> fars;
    std::shared_ptr<OperationRegistry> registry = std::make_shared<OperationRegistry>();
    std::unique_ptr<PeerImport> import;

private:
    TaskScope scope_;
};

task<void> call_into(Several& world, std::string name, std::optional<result<Json>>& outcome) {
    outcome = co_await world.call(std::move(name));
}

ALKNET_CO_TEST(SeveralPeers, AreCalledInTheirOrder) {
    Several world(loop);
    world.start();
    co_await world.settle();
    EXPECT_EQ(co_await world.answer("any-node/name"), "office");
    world.lose("office");
    co_await world.settle();
    EXPECT_EQ(co_await world.answer("any-node/name"), "lab");
    EXPECT_EQ(co_await world.answer("any-node/write"), "lab") << "nothing was done yet";
    EXPECT_FALSE(world.import->status()[0].connected);
    EXPECT_THAT(world.import->status()[0].problem, testing::Not(IsEmpty()));
    EXPECT_TRUE(world.import->status()[1].connected);
    world.lose("lab");
    co_await world.settle();
    const auto away = co_await world.call("any-node/name");
    ALKNET_CO_ASSERT(!away);
    EXPECT_TRUE(away.error().is(causes::kImportAway));
    EXPECT_EQ(away.error().detail(), "office, lab");
    world.fars["office"].up = true;
    (void)co_await loop.sleep(PeerImport::kAgainLongest * 2);
    EXPECT_EQ(co_await world.answer("any-node/name"), "office");
    co_await world.end();
}

ALKNET_CO_TEST(SeveralPeers, TakeOverAQueryButNeverAMutation) {
    Several world(loop);
    world.start();
    co_await world.settle();
    TaskScope calls(loop);
    std::optional<result<Json>> query;
    std::optional<result<Json>> mutation;
    calls.spawn(call_into(world, "any-test/sleep", query), "query");
    calls.spawn(call_into(world, "any-node/write-long", mutation), "mutation");
    co_await world.settle();
    EXPECT_EQ(world.fars["office"].written, 1);
    world.lose("office");
    (void)co_await calls.join();
    ALKNET_CO_ASSERT(query && mutation);
    ALKNET_CO_ASSERT_OK(*query);
    EXPECT_EQ(**query, "slept");
    ALKNET_CO_ASSERT(!*mutation);
    EXPECT_TRUE(mutation->error().is(causes::kImportLost));
    EXPECT_EQ(mutation->error().detail(), "office");
    EXPECT_FALSE(to_failed(mutation->error()).retryable) << "whoever tries again may do it twice";
    EXPECT_EQ(world.fars["lab"].written, 0);
    co_await world.end();
}

ALKNET_CO_TEST(SeveralPeers, ThatOfferSomethingElseAreNotCalledForIt) {
    Several world(loop);
    Operation other =
        make("some/thing", [](CallContext, Json) { return Several::named("office"); });
    ALKNET_CO_ASSERT(world.fars["office"].registry->add(other).has_value());
    other.about = "it says that it is something else";
    other.run = [](CallContext, Json) { return Several::named("lab"); };
    ALKNET_CO_ASSERT(world.fars["lab"].registry->add(other).has_value());
    Operation own = make("lab/only", other.run);
    ALKNET_CO_ASSERT(world.fars["lab"].registry->add(own).has_value());
    world.start();
    co_await world.settle();
    const auto status = world.import->status();
    EXPECT_TRUE(status[0].offered.contains("any-some/thing"));
    EXPECT_FALSE(status[1].offered.contains("any-some/thing"));
    EXPECT_THAT(status[0].problem, IsEmpty());
    EXPECT_THAT(status[1].problem, HasSubstr("/some/thing is not offered"));
    EXPECT_EQ(co_await world.answer("any-lab/only"), "lab");
    world.lose("office");
    co_await world.settle();
    const auto away = co_await world.call("any-some/thing");
    ALKNET_CO_ASSERT(!away);
    EXPECT_TRUE(away.error().is(causes::kImportAway));
    EXPECT_EQ(away.error().detail(), "office") << "the others have no part in it";
    co_await world.end();
}

class Names final : public ItemSink {
public:
    task<result<void>> give(Item item) override {
        names.push_back(*item.output.as_string());
        co_return result<void>();
    }
    std::vector<std::string> names{};
};

ALKNET_CO_TEST(SeveralPeers, GiveSubscriptionsThatCannotBeResumedAtAnother) {
    Several world(loop);
    world.start();
    co_await world.settle();
    world.lose("office");
    co_await world.settle();
    CallContext context;
    context.identity = known();
    Names taken;
    ALKNET_CO_ASSERT_OK(co_await world.registry->subscribe("any-node/watch", context, {}, taken));
    EXPECT_THAT(taken.names, ElementsAre("lab"));
    context.resume_after = 1;
    const auto refused = co_await world.registry->subscribe("any-node/watch", context, {}, taken);
    ALKNET_CO_ASSERT(!refused);
    EXPECT_TRUE(refused.error().is(causes::kUsage));
    EXPECT_THAT(refused.error().detail(), HasSubstr("resume_after"));
    co_await world.end();
}

}  // namespace
}  // namespace alknet::call
