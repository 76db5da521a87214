#include <gmock/gmock.h>
#include <alknet/call/imported.hpp>

#include "call_world.hpp"

namespace alknet::call {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

RemoteOperation remote(std::string name) {
    RemoteOperation one;
    one.name = std::move(name);
    return one;
}

class Recorded final : public RemoteCalls {
public:
    task<result<Json>> call(std::string operation, CallContext /*context*/, Json input) override {
        called.push_back(std::move(operation));
        co_return input;
    }
    task<result<void>> subscribe(std::string operation, CallContext /*context*/, Json input,
                                 ItemSink& items) override {
        called.push_back(std::move(operation));
        Item item{.output = std::move(input), .seq = 7};
        co_return co_await items.give(std::move(item));
    }
    std::vector<std::string> called{};
};

struct Import {
    std::shared_ptr<Recorded> calls = std::make_shared<Recorded>();
    std::shared_ptr<ImportedOperations> operations;
    std::shared_ptr<OperationRegistry> registry = std::make_shared<OperationRegistry>();
    Import() {
        ImportOptions options;
        options.prefix = "far";
        options.scope = [](std::string_view name) {
            return identity::Scope::parse_exact("far:call:" + std::string(name));
        };
        options.calls = calls;
        operations = std::make_shared<ImportedOperations>(std::move(options));
        registry->add(operations);
    }
    [[nodiscard]] std::vector<std::string> listed(const std::optional<Identity>& who) const {
        std::vector<std::string> names;
        for (const Operation* one : registry->visible_to(who)) {
            names.push_back(one->name);
        }
        return names;
    }
};

TEST(ImportedNames, BeginWithThePrefixOnce) {
    EXPECT_EQ(imported_name("far", "math/add"), "far-math/add");
    EXPECT_EQ(imported_name("far", "far/add"), "far/add");
}

TEST(ImportedOperations, AreForWhoeverHasTheirScope) {
    Import import;
    EXPECT_THAT(import.operations->offer({remote("math/add"), remote("far/away")}), SizeIs(0));
    EXPECT_THAT(import.listed(known()),
                ElementsAre("far-math/add", "far/away", "services/list", "services/schema"));
    EXPECT_THAT(import.listed(known({"far:call:math/*"})),
                ElementsAre("far-math/add", "services/list", "services/schema"));
    EXPECT_THAT(import.listed(std::nullopt), ElementsAre("services/list", "services/schema"));
    const auto refused = import.registry->find("far/away", known({"far:call:math/*"}));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kScopeMissing));
    EXPECT_FALSE(import.registry->find("far/away", std::nullopt));
}

TEST(ImportedOperations, ComeAndGoAndStayWhereTheyAreForCallsThatRun) {
    Import import;
    RemoteOperation add = remote("math/add");
    import.operations->offer({add});
    const Operation* before = import.operations->find("far-math/add");
    import.operations->offer({});
    EXPECT_EQ(import.operations->find("far-math/add"), nullptr);
    EXPECT_EQ(before->name, "far-math/add");
    import.operations->offer({add});
    EXPECT_EQ(import.operations->find("far-math/add"), before) << "the same is the same";
    add.input = Json::object({{"type", "object"}});
    import.operations->offer({add});
    EXPECT_NE(import.operations->find("far-math/add"), before);
}

TEST(ImportedOperations, ThatCannotBeOfferedAreNamed) {
    Import import;
    RemoteOperation broken = remote("math/broken");
    broken.input = Json::object({{"type", 7}});
    RemoteOperation odd = remote("math/odd");
    odd.input = Json::object({{"x-color", "red"}});
    const std::string large(kOperationBytesMax - 2, 'a');
    const auto refused =
        import.operations->offer({broken, odd, remote("math/odd"), remote("a/" + large)});
    ASSERT_THAT(refused, SizeIs(3));
    EXPECT_EQ(refused[0].name, "math/broken");
    EXPECT_THAT(refused[1].why, HasSubstr("another one has this name"));
    EXPECT_THAT(refused[2].why, HasSubstr("is no name of an operation"));
    EXPECT_NE(import.operations->find("far-math/odd"), nullptr);
}

TEST(ImportedOperations, ChangeSoOftenAndNoMore) {
    Import import;
    for (std::size_t i = 0; i < ImportedOperations::kDefinitionsMax; ++i) {
        RemoteOperation one = remote("math/add");
        one.about = std::to_string(i);
        ASSERT_THAT(import.operations->offer({one}), SizeIs(0));
    }
    const auto refused = import.operations->offer({remote("math/add")});
    ASSERT_THAT(refused, SizeIs(1));
    EXPECT_THAT(refused[0].why, HasSubstr("4096"));
}

ALKNET_CO_TEST(ImportedOperations, AreCalledWithWhatFitsTheirSchema) {
    Import import;
    RemoteOperation add = remote("math/add");
    add.input = Json::object({{"type", "object"}, {"required", Json::Array{"a"}}});
    RemoteOperation watch = remote("math/watch");
    watch.kind = Operation::Kind::subscription;
    import.operations->offer({add, watch});
    CallContext context;
    context.identity = known();
    const auto wrong = co_await import.registry->call("far-math/add", context, Json());
    ALKNET_CO_ASSERT(!wrong);
    EXPECT_TRUE(wrong.error().is(causes::kUsage));
    Json input = Json::object({{"a", 1}});
    const auto right = co_await import.registry->call("far-math/add", context, input);
    ALKNET_CO_ASSERT_OK(right);
    EXPECT_EQ(*right, input);
    EXPECT_THAT(import.calls->called, ElementsAre("math/add"));
    EXPECT_FALSE(co_await import.registry->call("far-math/watch", context, Json()));
}

/// What a world's server lists, found by a client.
task<result<std::vector<RemoteOperation>>> discovered(World& world, Loop& loop) {
    const auto client = CallClient::create(loop, world.client);
    auto found = co_await discover(*client, std::chrono::seconds(10));
    co_await client->close();
    co_return found;
}

ALKNET_CO_TEST(Discovery, FindsWhatTheOtherEndDescribes) {
    World world(loop);
    const auto found = co_await discovered(world, loop);
    ALKNET_CO_ASSERT_OK(found);
    std::vector<std::string> names;
    for (const RemoteOperation& one : *found) {
        names.push_back(one.name);
    }
    EXPECT_THAT(names, ElementsAre("test/echo", "test/fail", "test/large", "test/scoped",
                                   "test/sleep", "test/throw", "test/wait"));
    EXPECT_EQ((*found)[0].input, Json(true));
    EXPECT_EQ((*found)[0].digest().size(), 64U);
    EXPECT_NE((*found)[0].digest(), (*found)[1].digest());
    co_await world.end();
}

/// A server whose `services/list` gives this.
class Lister {
public:
    explicit Lister(Loop& loop) : loop_(loop), scope_(loop) {
        auto [near, far] = net::make_memory_streams();
        StreamConnectionOptions options;
        client_ = make_stream_connection(loop, std::move(near), options);
        wire_ = std::make_unique<Wire>(std::move(far));
    }
    task<result<std::vector<RemoteOperation>>> discover_in(Json answer) {
        scope_.spawn(serve(std::move(answer)), "serve");
        const auto client = CallClient::create(loop_, client_);
        auto found = co_await discover(*client, std::chrono::seconds(10));
        client_->close(0, "");
        co_await client->close();
        scope_.cancel();
        (void)co_await scope_.join();
        co_return found;
    }

private:
    task<void> serve(Json answer) {
        auto asked = co_await wire_->next();
        while (asked) {
            EventEnvelope told{.id = asked->id, .event = Responded{.output = answer}};
            (void)co_await wire_->send(std::move(told));
            asked = co_await wire_->next();
        }
    }
    Loop& loop_;
    std::shared_ptr<Connection> client_;
    std::unique_ptr<Wire> wire_;
    TaskScope scope_;
};

Json entry(std::string_view name, std::string_view kind) {
    return Json::object({{"name", name}, {"kind", kind}, {"input", true}});
}

ALKNET_CO_TEST(Discovery, TakesSchemasFromTheListWhereTheyAreThere) {
    Lister lister(loop);
    Json one = Json::object({{"name", "/math/add"},
                             {"kind", "mutation"},
                             {"about", std::string(kAboutBytesMax - 1, 'a') + "\u00e9\u00e9"},
                             {"input", Json::object({{"type", "object"}})}});
    Json answer = Json::object({{"operations", Json::Array{one, entry("services/list", "query")}}});
    const auto found = co_await lister.discover_in(std::move(answer));
    ALKNET_CO_ASSERT_OK(found);
    ALKNET_CO_ASSERT(found->size() == 1);
    EXPECT_EQ(found->front().name, "math/add");
    EXPECT_EQ(found->front().kind, Operation::Kind::mutation);
    EXPECT_EQ(found->front().about, std::string(kAboutBytesMax - 1, 'a')) << "whole characters";
    EXPECT_EQ(found->front().output, Json(true));
}

ALKNET_CO_TEST(Discovery, RefusesWhatIsNoList) {
    Json::Array many(kRemoteOperationsMax + 1, entry("a/b", "query"));
    const std::vector<Json> answers = {
        Json(),
        Json::object({{"operations", 7}}),
        Json::object({{"operations", Json::Array{entry("noslash", "query")}}}),
        Json::object({{"operations", Json::Array{entry("a/b", "wish")}}}),
        Json::object({{"operations", Json::Array{7}}}),
        Json::object({{"operations", many}})};
    for (const Json& answer : answers) {
        Lister lister(loop);
        const auto found = co_await lister.discover_in(answer);
        ALKNET_CO_ASSERT(!found);
        EXPECT_TRUE(found.error().is(causes::kProtocol) || found.error().is(causes::kLimit));
    }
}

ALKNET_CO_TEST(Discovery, DoesNotWaitForEver) {
    auto [near, far] = net::make_memory_streams();
    const auto connection =
        make_stream_connection(loop, std::move(near), StreamConnectionOptions());
    const auto client = CallClient::create(loop, connection);
    const auto found = co_await discover(*client, std::chrono::seconds(10));
    ALKNET_CO_ASSERT(!found);
    EXPECT_TRUE(found.error().is(causes::kTimeout));
    connection->close(0, "");
    co_await client->close();
}

}  // namespace
}  // namespace alknet::call
