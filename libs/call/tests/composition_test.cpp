// Operations that call others: with whose rights, how many, how long, and how all of it ends.
#include <alknet/call/composition.hpp>

#include "call_world.hpp"

namespace alknet::call {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

task<result<Json>> relay(CallContext context, std::string name, Json input) {
    co_return co_await context.composition->call(std::move(name), std::move(input));
}

// How many are above it.
task<result<Json>> descend(CallContext context, std::string name) {
    auto deeper = co_await context.composition->call(std::move(name), {});
    co_return deeper || deeper.error().is(causes::kLimit) ? result<Json>(context.depth) : deeper;
}

task<void> ask_once(Composition& composition, std::size_t& refused) {
    const auto outcome = co_await composition.call("test/sleep", {});
    refused += !outcome && outcome.error().is(causes::kLimit) ? 1 : 0;
}

task<result<Json>> fan_out(CallContext context, std::size_t count) {
    const TaskContext here = co_await current_context();
    std::size_t refused = 0;
    TaskScope asking(*here.loop, here.cancel);
    for (std::size_t i = 0; i < count; ++i) {
        asking.spawn(ask_once(*context.composition, refused), "ask");
    }
    (void)co_await asking.join();
    co_return refused;
}

task<result<Json>> call_far(CallContext context, CallClient& far, std::string name) {
    const TaskContext here = co_await current_context();
    co_return co_await far.call(std::move(name), {}, options_within(context, here.loop->now()));
}

struct ComposedWorld : World {
    explicit ComposedWorld(Loop& on, Carrier carrier = Carrier::streams) : World(on, carrier) {
        Operation inner = make("inner/echo", [this](CallContext context, Json input) {
            return echo(seen, std::move(context), std::move(input));
        });
        inner.scope = identity::Scope::parse_exact("inner:echo").value();
        inner.visibility = Operation::Visibility::internal;
        EXPECT_TRUE(registry->add(std::move(inner)));
        compose("outer/echo", {"inner:echo"}, {"inner/echo"}, "inner/echo");
        compose("outer/poor", {"inner:other"}, {"inner/echo"}, "inner/echo");
        compose("outer/narrow", {"*:*:*"}, {"test/echo"}, "inner/echo");
        compose("outer/none", {"*:*:*"}, {"inner/none"}, "inner/none");
        compose("outer/wait", {}, {"test/wait"}, "test/wait");
        compose("outer/twice", {}, {"outer/wait"}, "outer/wait");
        add("outer/descend", {"outer/descend"},
            [](CallContext context, Json) { return descend(std::move(context), "outer/descend"); });
        add("outer/many", {"test/sleep"}, [](CallContext context, Json input) {
            return fan_out(std::move(context), input.as_unsigned().value_or(0));
        });
    }
    void compose(std::string name, std::vector<std::string> scopes, std::vector<std::string> reach,
                 std::string calls) {
        Operation made = make(std::move(name), [calls](CallContext context, Json input) {
            return relay(std::move(context), calls, std::move(input));
        });
        made.authority = Authority{.label = "composition", .scopes = std::move(scopes)};
        made.authority->reach = std::move(reach);
        EXPECT_TRUE(registry->add(std::move(made)));
    }
    void add(std::string name, std::vector<std::string> reach, CallFunction run) {
        Operation made = make(std::move(name), std::move(run));
        made.authority = Authority{.label = "composition", .reach = std::move(reach)};
        EXPECT_TRUE(registry->add(std::move(made)));
    }
};

ALKNET_CO_TEST(Composition, HasTheRightsOfTheOperationAndNotOfItsCaller) {
    ComposedWorld world(loop);
    const auto client = CallClient::create(loop, world.client);
    // The caller may do everything; that is of no use to what it calls.
    EXPECT_EQ((co_await client->call("outer/echo", 7, {.traceparent = "00-1"})).value(), Json(7));
    const CallContext& seen = world.seen.contexts.back();
    EXPECT_EQ(seen.identity->id, "composition");
    EXPECT_EQ(seen.identity->scopes, std::vector<std::string>{"inner:echo"});
    EXPECT_EQ(seen.traceparent, "00-1");
    EXPECT_EQ(seen.deadline, loop.now() + seconds(30));
    EXPECT_EQ(seen.depth, 1U);
    EXPECT_EQ(seen.composition, nullptr);
    for (const std::string name : {"outer/poor", "outer/narrow", "outer/none"}) {
        const auto refused = co_await client->call(name, {});
        EXPECT_TRUE(refused.error().is(causes::kInternal)) << name << sim::describe(refused);
    }
    EXPECT_EQ(world.seen.contexts.size(), 1U);
    // From outside there is no such thing.
    EXPECT_TRUE((co_await client->call("inner/echo", {})).error().is(causes::kNoOperation));
    Operation wrong = make("outer/wrong", {});
    wrong.authority = Authority{.label = "composition", .reach = {"no name"}};
    EXPECT_FALSE(world.registry->add(std::move(wrong)));
    co_await client->close();
    co_await world.end();
}

ALKNET_CO_TEST(Composition, IsSixteenDeep) {
    ComposedWorld world(loop);
    const auto client = CallClient::create(loop, world.client);
    EXPECT_TRUE(co_await client->call("outer/descend", {}));
    CallContext context{.identity = known()};
    context.depth = Composition::kDepthMax - 1;
    EXPECT_EQ((co_await world.registry->call("outer/descend", context, {})).value(), Json(15));
    context.depth = Composition::kDepthMax;
    const Json input(1);
    EXPECT_EQ((co_await world.registry->call("outer/many", context, input)).value(), Json(1));
    co_await client->close();
    co_await world.end();
}

ALKNET_CO_TEST(Composition, FansOutTo64AtATime) {
    ComposedWorld world(loop);
    const auto client = CallClient::create(loop, world.client);
    const auto most = co_await client->call("outer/many", Composition::kFanOutMax);
    ALKNET_CO_ASSERT_OK(most);
    EXPECT_EQ(most->as_unsigned(), 0U);
    const auto more = co_await client->call("outer/many", Composition::kFanOutMax + 3);
    ALKNET_CO_ASSERT_OK(more);
    EXPECT_EQ(more->as_unsigned(), 3U);
    co_await client->close();
    co_await world.end();
}

/// Two nodes: a caller of the near one, whose operations call the far one.
struct TwoNodes {
    TwoNodes(Loop& on, Carrier carrier)
        : loop(on),
          near(on, carrier),
          far(on, carrier),
          to_far(CallClient::create(on, far.client)) {
        near.add("far/wait", {"far/wait"}, [this](CallContext context, Json) {
            return call_far(std::move(context), *to_far, "outer/twice");
        });
        near.compose("outer/far", {}, {"far/wait"}, "far/wait");
    }
    task<void> end() {
        co_await to_far->close();
        co_await near.end();
        co_await far.end();
    }

    Loop& loop;
    ComposedWorld near;
    ComposedWorld far;
    std::unique_ptr<CallClient> to_far;
};

task<void> call_into(CallClient& client, std::string name, CallOptions options,
                     std::optional<result<Json>>& outcome) {
    outcome = co_await client.call(std::move(name), {}, std::move(options));
}

ALKNET_CO_TEST(Composition, EndsOnBothNodesWithin100MillisecondsOfAnAbort) {
    for (const Carrier carrier : {Carrier::streams, Carrier::one_stream}) {
        TwoNodes nodes(loop, carrier);
        const auto client = CallClient::create(loop, nodes.near.client);
        std::optional<result<Json>> outcome;
        TaskScope calling(loop);
        calling.spawn(call_into(*client, "outer/far", {}, outcome), "call");
        co_await loop.sleep(seconds(1));
        EXPECT_EQ(nodes.far.seen.running, 1);
        calling.cancel();
        co_await loop.sleep(milliseconds(100));
        EXPECT_EQ(nodes.far.seen.running, 0);
        EXPECT_EQ(nodes.far.seen.cancelled, 1);
        EXPECT_EQ(nodes.far.adapter->in_flight(), 0U);
        EXPECT_EQ(nodes.near.adapter->in_flight(), 0U);
        EXPECT_EQ(nodes.to_far->pending(), 0U);
        (void)co_await calling.join();
        // Nothing of it is in the way.
        EXPECT_TRUE(co_await client->call("outer/echo", {}));
        EXPECT_TRUE(co_await nodes.to_far->call("outer/echo", {}));
        co_await client->close();
        co_await nodes.end();
    }
}

ALKNET_CO_TEST(Composition, HasTheTimeThatIsLeftOfTheFirstCall) {
    TwoNodes nodes(loop, Carrier::streams);
    const auto client = CallClient::create(loop, nodes.near.client);
    const TimePoint begun = loop.now();
    const auto late = co_await client->call("outer/far", {}, {.timeout = seconds(3)});
    EXPECT_TRUE(late.error().is(causes::kTimeout)) << sim::describe(late);
    EXPECT_EQ(loop.now() - begun, seconds(3));
    co_await loop.sleep(milliseconds(100));
    EXPECT_EQ(nodes.far.seen.running, 0);
    CallContext context;
    context.deadline = loop.now() + seconds(2);
    context.traceparent = "00-2";
    EXPECT_EQ(options_within(context, loop.now()).timeout, seconds(2));
    EXPECT_EQ(options_within(context, loop.now() + seconds(5)).timeout, Duration());
    EXPECT_EQ(options_within(context, loop.now()).traceparent, "00-2");
    context.deadline = TimePoint::max();
    EXPECT_EQ(options_within(context, loop.now()).timeout, seconds(30));
    co_await client->close();
    co_await nodes.end();
}

ALKNET_CO_TEST(Composition, EndsWhenTheCallersConnectionDoes) {
    TwoNodes nodes(loop, Carrier::streams);
    const auto client = CallClient::create(loop, nodes.near.client);
    std::optional<result<Json>> outcome;
    TaskScope calling(loop);
    calling.spawn(call_into(*client, "outer/far", {}, outcome), "call");
    co_await loop.sleep(seconds(1));
    nodes.near.client->close(0, "");
    co_await loop.sleep(milliseconds(100));
    EXPECT_EQ(nodes.far.seen.running, 0);
    EXPECT_EQ(nodes.far.adapter->in_flight(), 0U);
    (void)co_await calling.join();
    co_await client->close();
    co_await nodes.end();
}

}  // namespace
}  // namespace alknet::call
