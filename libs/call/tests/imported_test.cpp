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
        for (const OperationPtr& one : registry->visible_to(who)) {
            names.push_back(one->name);
        }
        return names;
    }
};

TEST(ImportedNames, BeginWithThePrefixOnce) {
    EXPECT_EQ(imported_name("far", "math/add"), "far-math/add");
    EXPECT_EQ(imported_name("far", "far/add"), "far/add");
}

ALKNET_CO_TEST(ImportedOperations, AreForWhoeverHasTheirScope) {
    Import import;
    EXPECT_THAT(co_await import.operations->offer({remote("math/add"), remote("far/away")}),
                SizeIs(0));
    EXPECT_THAT(import.listed(known()),
                ElementsAre("far-math/add", "far/away", "services/list", "services/schema"));
    EXPECT_THAT(import.listed(known({"far:call:math/*"})),
                ElementsAre("far-math/add", "services/list", "services/schema"));
    EXPECT_THAT(import.listed(std::nullopt), ElementsAre("services/list", "services/schema"));
    const auto refused = import.registry->find("far/away", known({"far:call:math/*"}));
    ALKNET_CO_ASSERT(!refused);
    EXPECT_TRUE(refused.error().is(causes::kScopeMissing));
    EXPECT_FALSE(import.registry->find("far/away", std::nullopt));
}

ALKNET_CO_TEST(ImportedOperations, ComeAndGoAndStayForCallsThatRun) {
    Import import;
    const std::vector<RemoteOperation> add = {remote("math/add")};
    co_await import.operations->offer(add);
    const OperationPtr before = import.operations->find("far-math/add");
    co_await import.operations->offer(add);
    EXPECT_EQ(import.operations->find("far-math/add"), before) << "the same is the same";
    co_await import.operations->offer({});
    EXPECT_EQ(import.operations->find("far-math/add"), nullptr);
    ALKNET_CO_ASSERT(before != nullptr);
    EXPECT_EQ(before->name, "far-math/add");
    EXPECT_EQ(before.use_count(), 1) << "what nobody offers or runs is not kept";
}

ALKNET_CO_TEST(ImportedOperations, AreOthersWithAnotherSchemaOrAnotherWay) {
    Import import;
    RemoteOperation add = remote("math/add");
    std::vector<RemoteOperation> offer = {add};
    co_await import.operations->offer(offer);
    const OperationPtr before = import.operations->find("far-math/add");
    offer[0].input = Json::object({{"type", "object"}});
    co_await import.operations->offer(offer);
    const OperationPtr stricter = import.operations->find("far-math/add");
    EXPECT_NE(stricter, before);
    offer[0].hops = 2;  // which the digest does not have
    co_await import.operations->offer(offer);
    const OperationPtr farther = import.operations->find("far-math/add");
    ALKNET_CO_ASSERT(farther != nullptr);
    EXPECT_NE(farther, stricter);
    EXPECT_EQ(farther->hops, 2U);
}

ALKNET_CO_TEST(ImportedOperations, ThatCannotBeOfferedAreNamed) {
    Import import;
    std::vector<RemoteOperation> offer = {remote("math/broken"), remote("math/odd"),
                                          remote("math/odd")};
    offer[0].input = Json::object({{"type", 7}});
    offer[1].input = Json::object({{"x-color", "red"}});
    offer.push_back(remote("a/" + std::string(kOperationBytesMax - 2, 'a')));
    const auto refused = co_await import.operations->offer(offer);
    ALKNET_CO_ASSERT(refused.size() == 3);
    EXPECT_EQ(refused[0].name, "math/broken");
    EXPECT_THAT(refused[1].why, HasSubstr("another one has this name"));
    EXPECT_THAT(refused[2].why, HasSubstr("is no name of an operation"));
    EXPECT_NE(import.operations->find("far-math/odd"), nullptr);
}

/// Of some 60 000 states.
Json costly_schema() {
    Json::Object properties;
    for (std::size_t i = 0; i < 30; ++i) {
        properties.emplace_back(
            "p" + std::to_string(i),
            Json::object({{"pattern", "^(abc" + std::to_string(i) + "){400}$"}}));
    }
    return Json::object({{"properties", std::move(properties)}});
}

ALKNET_CO_TEST(ImportedOperations, HavePatternsThatCostSoMuchAndNoMore) {
    Import import;
    const auto schema = Schema::compile(costly_schema());
    ALKNET_CO_ASSERT_OK(schema);
    ALKNET_CO_ASSERT(schema->pattern_states() > 10'000);
    const std::size_t fit = ImportedOperations::kPatternStatesMax / schema->pattern_states();
    std::vector<RemoteOperation> offer;
    for (std::size_t i = 0; i < fit + 2; ++i) {
        offer.push_back(remote("math/m" + std::to_string(i)));
        offer.back().input = costly_schema();
    }
    offer.push_back(remote("math/plain"));
    for (int again = 0; again < 2; ++again) {
        const auto refused = co_await import.operations->offer(offer);
        ALKNET_CO_ASSERT(refused.size() == 2);
        EXPECT_THAT(refused[0].why, HasSubstr("states"));
        EXPECT_EQ(import.operations->all().size(), fit + 1) << "others do not suffer from that";
    }
}

ALKNET_CO_TEST(ImportedOperations, AreCalledWithWhatFitsTheirSchema) {
    Import import;
    RemoteOperation add = remote("math/add");
    add.input = Json::object({{"type", "object"}, {"required", Json::Array{"a"}}});
    RemoteOperation watch = remote("math/watch");
    watch.kind = Operation::Kind::subscription;
    co_await import.operations->offer({add, watch});
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
    auto found = co_await discover(*client, {.timeout = std::chrono::seconds(10)});
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

/// A server whose `services/list` gives this, and whose `services/schema` that.
class Lister {
public:
    explicit Lister(Loop& loop) : loop_(loop), scope_(loop) {
        auto [near, far] = net::make_memory_streams();
        StreamConnectionOptions options;
        client_ = make_stream_connection(loop, std::move(near), options);
        wire_ = std::make_unique<Wire>(std::move(far));
    }
    task<result<std::vector<RemoteOperation>>> discover_in(
        Json list, std::function<bool(const RemoteOperation&)> wanted = {}, Json schema = {}) {
        scope_.spawn(serve(std::move(list), std::move(schema)), "serve");
        const auto client = CallClient::create(loop_, client_);
        auto found = co_await discover(
            *client, {.timeout = std::chrono::seconds(10), .wanted = std::move(wanted)});
        client_->close(0, "");
        co_await client->close();
        scope_.cancel();
        (void)co_await scope_.join();
        co_return found;
    }
    std::size_t schemas_asked = 0;

private:
    task<void> serve(Json list, Json schema) {
        auto asked = co_await wire_->next();
        while (asked) {
            const auto* request = std::get_if<Requested>(&asked->event);
            const bool wants_schema = request != nullptr && request->operation == "services/schema";
            schemas_asked += wants_schema ? 1 : 0;
            EventEnvelope told{.id = asked->id,
                               .event = Responded{.output = wants_schema ? schema : list}};
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

Json list_of(Json::Array operations) {
    return Json::object({{"operations", std::move(operations)}});
}

ALKNET_CO_TEST(Discovery, RefusesAnOperationThatIsListedTwice) {
    Lister lister(loop);
    Json list = list_of({entry("a/b", "query"), entry("a/c", "query"), entry("a/b", "mutation")});
    const auto found = co_await lister.discover_in(std::move(list));
    ALKNET_CO_ASSERT(!found);
    EXPECT_TRUE(found.error().is(causes::kProtocol));
    EXPECT_THAT(found.error().detail(), HasSubstr("listed twice"));
}

ALKNET_CO_TEST(Discovery, CountsWhatIsWantedAlone) {
    Json::Array many;
    for (std::size_t i = 0; i < 2 * kRemoteOperationsMax; ++i) {
        Json one = Json::object({{"name", "a/m" + std::to_string(i)}, {"kind", "query"}});
        if (i % 2 == 0) {
            one =
                Json::object({{"name", "a/m" + std::to_string(i)}, {"kind", "query"}, {"hops", 3}});
        }
        many.push_back(std::move(one));
    }
    Lister near(loop);
    const auto found = co_await near.discover_in(
        list_of(many), [](const RemoteOperation& one) { return one.hops == 0; }, Json::Object());
    ALKNET_CO_ASSERT_OK(found);
    EXPECT_THAT(*found, SizeIs(kRemoteOperationsMax));
    EXPECT_EQ(near.schemas_asked, kRemoteOperationsMax) << "and asks for no other schema";
    Lister all(loop);
    const auto refused = co_await all.discover_in(list_of(many), {}, Json::Object());
    ALKNET_CO_ASSERT(!refused);
    EXPECT_TRUE(refused.error().is(causes::kLimit));
    EXPECT_EQ(all.schemas_asked, 0U);
}

ALKNET_CO_TEST(Discovery, TakesAnswersOfAMebibyte) {
    Json list = Json::object({{"operations", Json::Array{entry("a/b", "query")}},
                              {"padding", std::string(kDiscoveryBytesMax, 'x')}});
    Lister lists(loop);
    const auto found = co_await lists.discover_in(std::move(list));
    ALKNET_CO_ASSERT(!found);
    EXPECT_TRUE(found.error().is(causes::kLimit));
    EXPECT_THAT(found.error().detail(), HasSubstr("services/list"));
    EXPECT_THAT(found.error().detail(), HasSubstr("1048576"));
    Lister schemas(loop);
    const Json small = Json::object({{"name", "a/b"}, {"kind", "query"}});
    const auto too_large = co_await schemas.discover_in(
        list_of({small}), {},
        Json::object({{"input", Json::object({{"title", std::string(kDiscoveryBytesMax, 'x')}})}}));
    ALKNET_CO_ASSERT(!too_large);
    EXPECT_THAT(too_large.error().detail(), HasSubstr("services/schema"));
}

ALKNET_CO_TEST(Discovery, TakesSchemasOfFourMebibytes) {
    for (const std::size_t count : {7U, 9U}) {
        Json::Array some;
        for (std::size_t i = 0; i < count; ++i) {
            some.push_back(Json::object({{"name", "a/m" + std::to_string(i)}, {"kind", "query"}}));
        }
        Lister lister(loop);
        const auto found = co_await lister.discover_in(
            list_of(std::move(some)), {},
            Json::object({{"input", Json::object({{"title", std::string(512 << 10, 'x')}})}}));
        EXPECT_EQ(found.has_value(), count < 8);
        if (!found) {
            EXPECT_TRUE(found.error().is(causes::kLimit));
            EXPECT_THAT(found.error().detail(), HasSubstr("4 MiB"));
        }
    }
}

ALKNET_CO_TEST(Discovery, DoesNotWaitForEver) {
    auto [near, far] = net::make_memory_streams();
    const auto connection =
        make_stream_connection(loop, std::move(near), StreamConnectionOptions());
    const auto client = CallClient::create(loop, connection);
    const auto found = co_await discover(*client, {.timeout = std::chrono::seconds(10)});
    ALKNET_CO_ASSERT(!found);
    EXPECT_TRUE(found.error().is(causes::kTimeout));
    connection->close(0, "");
    co_await client->close();
}

}  // namespace
}  // namespace alknet::call
