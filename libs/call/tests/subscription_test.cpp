// Subscriptions over connections in memory.
#include "call_world.hpp"

namespace alknet::call {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// `count` items from `first` on.
task<result<void>> count_up(Seen& seen, std::uint64_t first, std::uint64_t count, ItemSink& items) {
    ++seen.running;
    result<void> given;
    for (std::uint64_t i = 0; i < count && given; ++i) {
        given = co_await items.give({.output = first + i});
    }
    --seen.running;
    seen.cancelled += !given && given.error().is(causes::kCancelled) ? 1 : 0;
    co_return given;
}

// Says nothing, for ever.
task<result<void>> keep_quiet(Seen& seen) {
    ++seen.running;
    Event never;
    const auto waited = co_await never.wait();
    --seen.running;
    ++seen.cancelled;
    co_return waited;
}

task<result<void>> give_large(ItemSink& items) {
    co_return co_await items.give({.output = std::string(2 << 10, 'x')});
}

task<result<void>> fail_after_two(ItemSink& items) {
    Item first{.output = 1, .seq = 10};
    ALKNET_CO_CHECK(co_await items.give(std::move(first)));
    Item second{.output = 2, .seq = 14, .missed = 3};
    ALKNET_CO_CHECK(co_await items.give(std::move(second)));
    co_return fail(causes::kUnknownPeer, "bob");
}

struct SubscriptionWorld : World {
    explicit SubscriptionWorld(Loop& on, Carrier carrier = Carrier::streams, CallLimits limits = {})
        : World(on, carrier, known(), limits) {
        add("sub/count", [this](CallContext context, Json input, ItemSink& items) {
            return count_up(seen, context.resume_after.value_or(0), input.as_unsigned().value_or(0),
                            items);
        });
        add("sub/quiet", [this](CallContext, Json, ItemSink&) { return keep_quiet(seen); });
        add("sub/fail", [](CallContext, Json, ItemSink& items) { return fail_after_two(items); });
        add("sub/large", [](CallContext, Json, ItemSink& items) { return give_large(items); });
    }
    void add(std::string name, SubscribeFunction subscribe) {
        Operation made = make(std::move(name), {});
        made.kind = Operation::Kind::subscription;
        made.subscribe = std::move(subscribe);
        EXPECT_TRUE(registry->add(std::move(made)));
    }
};

ALKNET_CO_TEST(Subscriptions, GiveTheirItemsAndEnd) {
    for (const Carrier carrier : {Carrier::streams, Carrier::one_stream}) {
        SubscriptionWorld world(loop, carrier);
        const auto caller = CallClient::create(world.loop, world.client);
        auto counting = co_await caller->subscribe("sub/count", 10'000, {.resume_after = 5});
        ALKNET_CO_ASSERT_OK(counting);
        for (std::uint64_t i = 0; i < 10'000; ++i) {
            const auto item = co_await (*counting)->next();
            ALKNET_CO_ASSERT_OK(item);
            ALKNET_CO_ASSERT(item->has_value());
            EXPECT_EQ((*item)->output, Json(5 + i));
            EXPECT_EQ((*item)->seq, i + 1);
        }
        const auto end = co_await (*counting)->next();
        ALKNET_CO_ASSERT_OK(end);
        EXPECT_FALSE(end->has_value());
        auto failing = co_await caller->subscribe("sub/fail", {});
        ALKNET_CO_ASSERT_OK(failing);
        EXPECT_EQ((*co_await (*failing)->next())->seq, 10U);
        const auto second = co_await (*failing)->next();
        EXPECT_EQ((*second)->seq, 14U);
        EXPECT_EQ((*second)->missed, 3U);
        EXPECT_TRUE((co_await (*failing)->next()).error().is(causes::kUnknownPeer));
        counting->reset();
        failing->reset();
        EXPECT_EQ(caller->pending(), 0U);
        co_await caller->close();
        co_await world.end();
    }
}

ALKNET_CO_TEST(Subscriptions, AreNotCallsAndCallsAreNone) {
    SubscriptionWorld world(loop);
    const auto caller = CallClient::create(world.loop, world.client);
    auto wrong = co_await caller->subscribe("test/echo", 1);
    ALKNET_CO_ASSERT_OK(wrong);
    // A call's answer is all there is.
    EXPECT_TRUE((*co_await (*wrong)->next()).has_value());
    EXPECT_FALSE((*co_await (*wrong)->next()).has_value());
    wrong->reset();
    // A call takes the first item, and wants no more.
    EXPECT_EQ((co_await caller->call("sub/count", 1'000'000)).value(), Json(0));
    const CallContext known_context{.identity = known()};
    EXPECT_TRUE((co_await world.registry->call("sub/count", known_context, {}))
                    .error()
                    .is(causes::kOperationType));
    co_await world.loop.sleep(milliseconds(50));
    EXPECT_EQ(world.seen.running, 0);
    EXPECT_EQ(world.seen.cancelled, 1);
    co_await caller->close();
    co_await world.end();
}

// Whatever the handler does: waits for ever, or for a stream that nobody reads.
ALKNET_CO_TEST(Subscriptions, EndWithin100MillisecondsOfAnAbort) {
    for (const Carrier carrier : {Carrier::streams, Carrier::one_stream}) {
        for (const std::string name : {"sub/quiet", "sub/count"}) {
            SubscriptionWorld world(loop, carrier);
            const auto caller = CallClient::create(world.loop, world.client);
            auto made = co_await caller->subscribe(name, std::uint64_t{1} << 40);
            ALKNET_CO_ASSERT_OK(made);
            co_await world.loop.sleep(seconds(1));
            EXPECT_EQ(world.seen.running, 1) << name;
            made->reset();
            co_await world.loop.sleep(milliseconds(100));
            EXPECT_EQ(world.seen.running, 0) << name;
            EXPECT_EQ(world.seen.cancelled, 1) << name;
            // Nothing of it is in the way of others.
            EXPECT_EQ((co_await caller->call("test/echo", 7)).value(), Json(7));
            co_await caller->close();
            co_await world.end();
        }
    }
}

ALKNET_CO_TEST(Subscriptions, AreAsFastAsWhoeverTakesTheirItems) {
    SubscriptionWorld world(loop);
    const auto caller = CallClient::create(world.loop, world.client);
    constexpr std::uint64_t kCount = 20'000;
    auto counting = co_await caller->subscribe("sub/count", kCount);
    ALKNET_CO_ASSERT_OK(counting);
    co_await world.loop.sleep(seconds(10));
    EXPECT_EQ(world.seen.running, 1);  // held back: nobody has taken anything
    // Other calls have streams of their own.
    EXPECT_EQ((co_await caller->call("test/echo", 7)).value(), Json(7));
    std::uint64_t taken = 0;
    for (auto item = co_await (*counting)->next(); item && *item;
         item = co_await (*counting)->next()) {
        EXPECT_EQ((*item)->output, Json(taken));
        ++taken;
    }
    EXPECT_EQ(taken, kCount);
    EXPECT_EQ(world.seen.running, 0);
    counting->reset();
    co_await caller->close();
    co_await world.end();
}

ALKNET_CO_TEST(Subscriptions, HoldUpNothingElseOnTheirStream) {
    SubscriptionWorld world(loop, Carrier::one_stream);
    const auto caller = CallClient::create(world.loop, world.client);
    constexpr std::uint64_t kCount = 20'000;
    auto counting = co_await caller->subscribe("sub/count", kCount);
    ALKNET_CO_ASSERT_OK(counting);
    co_await world.loop.sleep(seconds(10));
    EXPECT_EQ(world.seen.running, 1);
    EXPECT_EQ((co_await caller->call("test/echo", 7)).value(), Json(7));
    std::uint64_t taken = 0;
    for (auto item = co_await (*counting)->next(); item && *item;
         item = co_await (*counting)->next()) {
        EXPECT_EQ((*item)->output, Json(taken));
        ++taken;
    }
    EXPECT_EQ(taken, kCount);
    EXPECT_EQ(world.seen.running, 0);
    counting->reset();
    co_await caller->close();
    co_await world.end();
}

task<std::size_t> items_that_come(Wire& wire) {
    // What comes after the items is the answer to this.
    EXPECT_TRUE(co_await wire.ask("end", "test/echo"));
    std::size_t count = 0;
    for (;;) {
        const auto event = co_await wire.next();
        if (!event || event->id == "end") {
            EXPECT_TRUE(event);
            co_return count;
        }
        ++count;
    }
}

ALKNET_CO_TEST(Subscriptions, GiveAsManyItemsAsThereIsCreditFor) {
    SubscriptionWorld world(loop, Carrier::one_stream);
    Wire wire((co_await world.client->open_bi()).value());
    Requested request{.operation = "sub/count", .input = 100};
    request.credit = 3;
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = request}));
    co_await world.loop.sleep(milliseconds(1));
    EXPECT_EQ(co_await items_that_come(wire), 3U);
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = Credit{.items = 2}}));
    EXPECT_TRUE(co_await wire.send({.id = "9", .event = Credit{.items = 2}}));
    co_await world.loop.sleep(milliseconds(1));
    EXPECT_EQ(co_await items_that_come(wire), 2U);
    constexpr std::uint64_t kAll = ~std::uint64_t{0};
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = Credit{.items = kAll}}));
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = Credit{.items = kAll}}));
    co_await world.loop.sleep(milliseconds(1));
    EXPECT_EQ(co_await items_that_come(wire), 96U) << "95 items, and the end";
    // Who asked without credit has set no limit that it could lift.
    request.credit.reset();
    EXPECT_TRUE(co_await wire.send({.id = "2", .event = request}));
    EXPECT_TRUE(co_await wire.send({.id = "2", .event = Credit{.items = 1}}));
    co_await world.loop.sleep(milliseconds(1));
    EXPECT_EQ(co_await items_that_come(wire), 101U);
    co_await world.end();
}

ALKNET_CO_TEST(Subscriptions, WithoutCreditEndLikeOthers) {
    SubscriptionWorld world(loop, Carrier::one_stream);
    Wire wire((co_await world.client->open_bi()).value());
    Requested request{.operation = "sub/count", .input = 100};
    request.credit = 0;
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = request}));
    co_await world.loop.sleep(milliseconds(1));
    EXPECT_EQ(world.seen.running, 1);
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = Aborted{}}));
    co_await world.loop.sleep(milliseconds(100));
    EXPECT_EQ(world.seen.running, 0);
    EXPECT_TRUE(
        co_await wire.send_text(R"({"type": "call.credit", "id": "1", "payload": {"credit": 0}})"));
    EXPECT_EQ(co_await wire.failure(""), "PROTOCOL");
    co_await world.end();
}

ALKNET_CO_TEST(Subscriptions, EndWhenTheirTimeIsUpOrTheNodeShutsDown) {
    SubscriptionWorld world(loop);
    const auto caller = CallClient::create(world.loop, world.client);
    auto timed = co_await caller->subscribe("sub/quiet", {}, {.timeout = seconds(2)});
    ALKNET_CO_ASSERT_OK(timed);
    EXPECT_TRUE((co_await (*timed)->next()).error().is(causes::kTimeout));
    // Without a time it lasts.
    auto endless = co_await caller->subscribe("sub/quiet", {});
    ALKNET_CO_ASSERT_OK(endless);
    co_await world.loop.sleep(std::chrono::hours(10));
    EXPECT_EQ(world.seen.running, 1);
    co_await world.adapter->shutdown();
    EXPECT_TRUE((co_await (*endless)->next()).error().is(causes::kShuttingDown));
    timed->reset();
    endless->reset();
    co_await caller->close();
    co_await world.end();
}

ALKNET_CO_TEST(Subscriptions, RefuseAnItemThatNoFrameCarries) {
    CallLimits limits;
    limits.frame_bytes_max = 1 << 10;
    SubscriptionWorld world(loop, Carrier::streams, limits);
    const auto caller = CallClient::create(world.loop, world.client);
    auto large = co_await caller->subscribe("sub/large", {});
    ALKNET_CO_ASSERT_OK(large);
    EXPECT_TRUE((co_await (*large)->next()).error().is(causes::kLimit));
    large->reset();
    co_await caller->close();
    co_await world.end();
}

/// Gives these numbers, whatever it is asked.
task<void> number_so(Wire& wire, std::vector<std::uint64_t> seqs) {
    const auto asked = co_await wire.next();
    if (!asked) {
        co_return;
    }
    for (const std::uint64_t seq : seqs) {
        (void)co_await wire.send({.id = asked->id, .event = Responded{.output = 1, .seq = seq}});
    }
}

ALKNET_CO_TEST(Subscriptions, EndWhereTheNumbersDoNotRise) {
    for (const std::uint64_t second : {7U, 6U}) {
        auto [near, far] = net::make_memory_streams();
        const auto connection =
            make_stream_connection(loop, std::move(near), StreamConnectionOptions());
        Wire wire(std::move(far));
        TaskScope scope(loop);
        scope.spawn(number_so(wire, {5, 7, second, 8}), "server");
        const auto client = CallClient::create(loop, connection);
        {
            auto subscription = co_await client->subscribe("sub/any", {});
            ALKNET_CO_ASSERT_OK(subscription);
            EXPECT_TRUE(co_await (*subscription)->next());
            EXPECT_TRUE(co_await (*subscription)->next());
            const auto wrong = co_await (*subscription)->next();
            ALKNET_CO_ASSERT(!wrong);
            EXPECT_TRUE(wrong.error().is(causes::kProtocol));
            EXPECT_THAT(wrong.error().detail(), testing::HasSubstr("comes after item 7"));
        }
        connection->close(0, "");
        co_await client->close();
        (void)co_await scope.join();
    }
}

}  // namespace
}  // namespace alknet::call
