// CallAdapter and CallClient over connections in memory.
#include "call_world.hpp"

namespace alknet::call {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

task<void> call_well(World& world, Loop& loop) {
    const auto client = CallClient::create(loop, world.client);
    const auto answer =
        co_await client->call("test/echo", Json::object({{"x", 1}}), {.traceparent = "00-1"});
    ALKNET_CO_ASSERT_OK(answer);
    EXPECT_EQ(*answer, Json::object({{"x", 1}}));
    EXPECT_EQ(world.seen.contexts.back().identity, known());
    EXPECT_EQ(world.seen.contexts.back().traceparent, "00-1");
    EXPECT_EQ(world.seen.contexts.back().deadline, loop.now() + seconds(30));
    const auto failed = co_await client->call("test/fail", {});
    EXPECT_TRUE(failed.error().is(causes::kUnknownPeer));
    EXPECT_EQ(failed.error().detail(), "bob");
    EXPECT_TRUE((co_await client->call("test/none", {})).error().is(causes::kNoOperation));
    EXPECT_TRUE((co_await client->call("no name", {})).error().is(causes::kUsage));
    co_await client->close();
    co_await world.end();
    EXPECT_TRUE(world.outcome && *world.outcome);
}

ALKNET_CO_TEST(Call, GivesAnswersAndFailuresOverManyStreams) {
    World world(loop);
    co_await call_well(world, loop);
}

ALKNET_CO_TEST(Call, GivesAnswersAndFailuresOverOneStream) {
    World world(loop, Carrier::one_stream);
    co_await call_well(world, loop);
}

task<void> call_once(CallClient& client, std::string operation, std::vector<std::string>& order,
                     CallOptions options = {}) {
    const auto outcome = co_await client.call(operation, {}, std::move(options));
    order.push_back(operation + " " + (outcome ? "ok" : std::string(outcome.error().cause().id)));
}

task<void> refuse_first(CallAdapter& adapter, std::shared_ptr<Connection> connection, error why) {
    EXPECT_TRUE(co_await adapter.tell_refused(std::move(connection), std::move(why)));
}

// Over TCP there is no close code that could say it.
ALKNET_CO_TEST(Call, SaysOnTheOneStreamWhyAPeerIsRefused) {
    CallAdapter adapter{CallAdapterOptions{}};
    for (const error& why : {error(causes::kScopeMissing, "calls:use"),
                             error(causes::kForbidden, "a reason of the owner's")}) {
        auto [near, far] = net::make_memory_streams();
        StreamConnectionOptions made;
        const std::shared_ptr<Connection> ours =
            make_stream_connection(loop, std::move(near), made);
        made.info.server_side = true;
        const std::shared_ptr<Connection> theirs =
            make_stream_connection(loop, std::move(far), made);
        TaskScope scope(loop);
        scope.spawn(refuse_first(adapter, theirs, why), "refuse");
        const auto client = CallClient::create(loop, ours);
        const auto refused = co_await client->call("test/echo", {});
        EXPECT_TRUE(!refused && refused.error().is(why.cause()));
        EXPECT_EQ(refused.error().detail(), why.is(causes::kScopeMissing) ? "calls:use" : "");
        co_await client->close();
        (void)co_await scope.join();
    }
}

ALKNET_CO_TEST(Call, NobodyWaitsForAnothersHandler) {
    World world(loop, Carrier::one_stream);
    const auto client = CallClient::create(loop, world.client);
    std::vector<std::string> order;
    TaskScope calls(loop);
    calls.spawn(call_once(*client, "test/sleep", order), "slow");
    calls.spawn(call_once(*client, "test/echo", order), "fast");
    (void)co_await calls.join();
    EXPECT_EQ(order, (std::vector<std::string>{"test/echo ok", "test/sleep ok"}));
    co_await client->close();
    co_await world.end();
}

ALKNET_CO_TEST(Call, ACancelledCallIsAbortedAtTheOtherEnd) {
    World world(loop, Carrier::one_stream);
    const auto client = CallClient::create(loop, world.client);
    std::vector<std::string> order;
    TaskScope calls(loop);
    calls.spawn(call_once(*client, "test/wait", order, {.timeout = std::chrono::hours(1)}), "w");
    (void)co_await loop.sleep(milliseconds(1));
    EXPECT_EQ(world.seen.running, 1);
    const TimePoint before = loop.now();
    calls.cancel();
    (void)co_await calls.join();
    // On the same stream, where nothing else may pass it either.
    EXPECT_TRUE(co_await client->call("test/echo", {}));
    EXPECT_EQ(world.seen.running, 0);
    EXPECT_EQ(world.seen.cancelled, 1);
    EXPECT_LT(loop.now() - before, milliseconds(100));
    EXPECT_EQ(client->pending(), 0U);
    EXPECT_EQ(order, (std::vector<std::string>{"test/wait E-CANCELLED"}));
    co_await client->close();
    co_await world.end();
    EXPECT_THAT(world.counted(), testing::HasSubstr(R"({outcome="aborted"} 1)"));
}

ALKNET_CO_TEST(Call, ATimeThatIsUpEndsTheHandler) {
    World world(loop);
    const auto client = CallClient::create(loop, world.client);
    const TimePoint before = loop.now();
    const auto late = co_await client->call("test/wait", {}, {.timeout = seconds(3)});
    EXPECT_TRUE(late.error().is(causes::kTimeout));
    EXPECT_EQ(loop.now() - before, seconds(3));
    EXPECT_TRUE(co_await client->call("test/echo", {}));
    EXPECT_EQ(world.seen.running, 0);
    EXPECT_EQ(client->pending(), 0U);
    co_await client->close();
    co_await world.end();
}

ALKNET_CO_TEST(Call, ARequestHasNoMoreTimeThanTheServerGives) {
    CallLimits limits;
    limits.timeout_default = seconds(2);
    limits.timeout_max = seconds(5);
    World world(loop, Carrier::streams, known(), limits);
    Wire wire((co_await world.client->open_bi()).value());
    const TimePoint before = loop.now();
    EXPECT_TRUE(co_await wire.ask("default", "test/wait"));
    EXPECT_EQ(co_await wire.failure("default"), "TIMEOUT");
    EXPECT_EQ(loop.now() - before, seconds(2));
    Requested request{.operation = "test/wait", .input = {}};
    request.timeout_ms = ~std::uint64_t{0};
    EXPECT_TRUE(co_await wire.send({.id = "long", .event = request}));
    EXPECT_EQ(co_await wire.failure("long"), "TIMEOUT");
    EXPECT_EQ(loop.now() - before, seconds(7));
    co_await world.end();
}

ALKNET_CO_TEST(Call, TheConnectionsEndEndsWhatRuns) {
    World world(loop, Carrier::one_stream);
    auto client = CallClient::create(loop, world.client);
    std::vector<std::string> order;
    TaskScope calls(loop);
    calls.spawn(call_once(*client, "test/wait", order), "wait");
    (void)co_await loop.sleep(milliseconds(1));
    EXPECT_EQ(world.adapter->in_flight(), 1U);
    co_await client->close();
    (void)co_await calls.join();
    EXPECT_EQ(order.size(), 1U);
    co_await world.end();
    EXPECT_EQ(world.seen.cancelled, 1);
}

ALKNET_CO_TEST(Call, ShutdownLetsRunningCallsFinish) {
    World world(loop, Carrier::one_stream);
    const auto client = CallClient::create(loop, world.client);
    std::vector<std::string> order;
    TaskScope calls(loop);
    calls.spawn(call_once(*client, "test/sleep", order), "slow");
    (void)co_await loop.sleep(milliseconds(1));
    TaskScope ending(loop);
    ending.spawn(world.adapter->shutdown(), "shutdown");
    (void)co_await loop.sleep(milliseconds(1));
    EXPECT_EQ(ending.size(), 1U);
    const auto refused = co_await client->call("test/echo", {});
    EXPECT_TRUE(refused.error().is(causes::kShuttingDown));
    (void)co_await ending.join();
    (void)co_await calls.join();
    EXPECT_EQ(order, (std::vector<std::string>{"test/sleep ok"}));
    co_await client->close();
    co_await world.end();
}

ALKNET_CO_TEST(Call, AHandlerThatThrowsEndsItsConnectionAlone) {
    World world(loop);
    const auto client = CallClient::create(loop, world.client);
    std::vector<std::string> order;
    TaskScope calls(loop);
    // The endpoint would close the connection: here it is the scope that learns of it.
    calls.spawn(call_once(*client, "test/throw", order, {.timeout = seconds(1)}), "throws");
    bool threw = false;
    try {
        (void)co_await world.scope.join();
    } catch (const std::runtime_error& failure) {
        threw = std::string_view(failure.what()) == "as told";
    }
    EXPECT_TRUE(threw);
    (void)co_await calls.join();
    co_await client->close();
    EXPECT_EQ(world.adapter->in_flight(), 0U);
}

ALKNET_CO_TEST(Call, TheScopeIsAskedForEachRequest) {
    World world(loop, Carrier::streams, known({"test:other"}));
    const auto client = CallClient::create(loop, world.client);
    const auto refused = co_await client->call("test/scoped", {});
    EXPECT_TRUE(refused.error().is(causes::kScopeMissing));
    EXPECT_EQ(refused.error().detail(), "test:scoped");
    EXPECT_TRUE(world.seen.contexts.empty());
    EXPECT_TRUE(co_await client->call("test/echo", {}));
    co_await client->close();
    co_await world.end();
}

}  // namespace
}  // namespace alknet::call
