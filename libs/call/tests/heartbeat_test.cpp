// Quiet streams, and ends that vanish without a word.
#include "call_world.hpp"

namespace alknet::call {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

CallLimits patient() {
    CallLimits limits;
    limits.timeout_default = hours(1);
    return limits;
}

task<bool> beats(Wire& wire) {
    const auto event = co_await wire.next();
    co_return event && event->id.empty() && std::holds_alternative<Heartbeat>(event->event);
}

ALKNET_CO_TEST(CallHeartbeat, ComesEvery15SecondsWhileSomethingRuns) {
    World world(loop, Carrier::one_stream, known(), patient());
    Wire wire((co_await world.client->open_bi()).value());
    co_await loop.sleep(minutes(10));
    const TimePoint begun = loop.now();
    EXPECT_TRUE(co_await wire.ask("1", "test/wait"));
    for (int i = 1; i <= 5; ++i) {
        EXPECT_TRUE(co_await beats(wire));
        EXPECT_EQ(loop.now() - begun, seconds(15) * i);
    }
    // An answer is a word too.
    co_await loop.sleep(seconds(5));
    EXPECT_TRUE(co_await wire.ask("2", "test/echo"));
    EXPECT_EQ((co_await wire.next()).value().id, "2");
    EXPECT_TRUE(co_await beats(wire));
    EXPECT_EQ(loop.now() - begun, seconds(95));
    // Nothing runs, nothing comes.
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = Aborted{}}));
    co_await loop.sleep(hours(1));
    EXPECT_TRUE(co_await wire.ask("3", "test/echo"));
    EXPECT_EQ((co_await wire.next()).value().id, "3");
    co_await world.end();
}

ALKNET_CO_TEST(CallHeartbeat, FindsWhoHasVanished) {
    World world(loop, Carrier::one_stream, known(), patient());
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.ask("1", "test/wait"));
    for (int i = 0; i < 8; ++i) {
        co_await loop.sleep(seconds(15));
        EXPECT_TRUE(co_await wire.send({.id = "", .event = Heartbeat{}}));
    }
    co_await loop.sleep(seconds(44));
    EXPECT_EQ(world.seen.running, 1);
    co_await loop.sleep(seconds(16));
    EXPECT_EQ(world.seen.running, 0);
    EXPECT_EQ(world.seen.cancelled, 1);
    EXPECT_TRUE(world.outcome.has_value());
    co_await world.end();
}

// A client that knows no heartbeats is as good as its connection.
// Of a socket both ends look alike until something is sent there.
ALKNET_CO_TEST(CallHeartbeat, FindsWhoHasGoneAndNotWhoSaysNoMore) {
    World world(loop, Carrier::one_stream, known(), patient());
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.ask("1", "test/wait"));
    EXPECT_TRUE(co_await wire.stream().finish());
    EXPECT_TRUE(co_await beats(wire));
    co_await loop.sleep(seconds(14));
    EXPECT_EQ(world.seen.running, 1);
    wire.stream().stop(close_code::kOk);
    co_await loop.sleep(seconds(2));
    EXPECT_EQ(world.seen.running, 0);
    EXPECT_EQ(world.seen.cancelled, 1);
    co_await world.end();
}

ALKNET_CO_TEST(CallHeartbeat, IsAskedOfNobodyWhoSendsNone) {
    World world(loop, Carrier::one_stream, known(), patient());
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.ask("1", "test/wait"));
    co_await loop.sleep(minutes(59));
    EXPECT_EQ(world.seen.running, 1);
    co_await world.end();
}

task<void> call_long(CallClient& client, result<Json>& outcome) {
    outcome = co_await client.call("test/wait", {}, {.timeout = hours(1)});
}

ALKNET_CO_TEST(CallHeartbeat, KeepsALongCallOfACallerWhoIsThere) {
    for (const Carrier carrier : {Carrier::streams, Carrier::one_stream}) {
        World world(loop, carrier, known(), patient());
        const auto client = CallClient::create(loop, world.client);
        EXPECT_TRUE(co_await client->call("test/echo", {}));
        co_await loop.sleep(hours(3));
        result<Json> outcome;
        TaskScope calling(loop);
        calling.spawn(call_long(*client, outcome), "long");
        (void)co_await calling.join();
        EXPECT_TRUE(outcome.error().is(causes::kTimeout)) << sim::describe(outcome);
        EXPECT_TRUE(co_await client->call("test/echo", {}));
        co_await client->close();
        co_await world.end();
    }
}

// The server's machine is gone: nothing comes of it any more, not even an end.
ALKNET_CO_TEST(CallHeartbeat, TellsACallerThatTheOtherEndHasGone) {
    auto [near, far] = net::make_memory_streams();
    Wire server(std::move(far));
    const auto client = CallClient::create(
        loop, make_stream_connection(loop, std::move(near), StreamConnectionOptions{}));
    result<Json> outcome;
    TaskScope calling(loop);
    calling.spawn(call_long(*client, outcome), "long");
    EXPECT_TRUE(co_await server.send({.id = "", .event = Heartbeat{}}));
    const TimePoint begun = loop.now();
    (void)co_await calling.join();
    EXPECT_TRUE(outcome.error().is(causes::kIdleTimeout)) << sim::describe(outcome);
    EXPECT_LE(loop.now() - begun, seconds(60));
    EXPECT_EQ(client->pending(), 0U);
    co_await client->close();
}

}  // namespace
}  // namespace alknet::call
