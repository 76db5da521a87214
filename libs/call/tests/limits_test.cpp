// What the other end does wrong, and each limit of CallLimits.
#include <alknet/base/encoding.hpp>

#include "call_world.hpp"

namespace alknet::call {
namespace {

using testing::HasSubstr;

// The stream hears why, and ends; the connection goes on.
ALKNET_CO_TEST(CallBounds, ABrokenFrameEndsItsStreamAlone) {
    World world(loop);
    const std::vector<std::pair<std::string, std::string>> frames = {
        {"00000000", "PROTOCOL"},        // no octets
        {"01000001", "LIMIT"},           // longer than 16 MiB
        {"ffffffff", "LIMIT"},           //
        {"000000017b", "PROTOCOL"},      // no JSON
        {"00000003225cff", "PROTOCOL"},  // no UTF-8
        {"000000025b5d", "PROTOCOL"},    // no event
    };
    for (const auto& [hex, code] : frames) {
        Wire wire((co_await world.client->open_bi()).value());
        EXPECT_TRUE(co_await wire.send(hex_decode(hex).value()));
        EXPECT_EQ(co_await wire.failure(""), code) << hex;
        EXPECT_TRUE(co_await wire.ended()) << hex;
    }
    Wire cut((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await cut.send(hex_decode("000000097b").value()));
    EXPECT_TRUE(co_await cut.stream().finish());
    EXPECT_EQ(co_await cut.failure(""), "PROTOCOL");
    Wire good((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await good.ask("1", "test/echo"));
    EXPECT_EQ((co_await good.next()).value().id, "1");
    co_await world.end();
}

ALKNET_CO_TEST(CallBounds, AnIdInUseEndsItsStreamAndWhatRunsThere) {
    World world(loop);
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.ask("1", "test/wait"));
    (void)co_await loop.sleep(std::chrono::milliseconds(1));
    EXPECT_TRUE(co_await wire.ask("1", "test/echo"));
    EXPECT_EQ(co_await wire.failure(""), "PROTOCOL");
    EXPECT_TRUE(co_await wire.ended());
    EXPECT_EQ(world.seen.cancelled, 1);
    // Once it has been answered, an id may come again.
    Wire again((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await again.ask("1", "test/echo"));
    EXPECT_EQ((co_await again.next()).value().id, "1");
    EXPECT_TRUE(co_await again.ask("1", "test/echo"));
    EXPECT_EQ((co_await again.next()).value().id, "1");
    co_await world.end();
}

ALKNET_CO_TEST(CallBounds, UnknownEventsAreCounted) {
    World world(loop);
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = Unknown{.type = "call.later"}}));
    EXPECT_TRUE(co_await wire.send({.id = "9", .event = Responded{}}));
    EXPECT_TRUE(co_await wire.send({.id = "9", .event = Aborted{}}));
    EXPECT_TRUE(co_await wire.send({.id = "9", .event = Completed{}}));
    EXPECT_TRUE(co_await wire.ask("2", "test/echo"));
    EXPECT_EQ((co_await wire.next()).value().id, "2");
    EXPECT_THAT(world.counted(), HasSubstr("alknet_call_unknown_events_total 1"));
    co_await world.end();
}

ALKNET_CO_TEST(CallBounds, AStrangersFramesAre64KiB) {
    World world(loop, Carrier::streams, std::nullopt);
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.ask("1", "test/echo", std::string(60'000, 'x')));
    EXPECT_EQ((co_await wire.next()).value().id, "1");
    EXPECT_TRUE(co_await wire.send(hex_decode("00010001").value()));
    EXPECT_EQ(co_await wire.failure(""), "LIMIT");
    co_await world.end();
}

task<void> fill(World& world, std::size_t most) {
    Wire wire((co_await world.client->open_bi()).value());
    for (std::size_t i = 0; i < most; ++i) {
        EXPECT_TRUE(co_await wire.ask(std::to_string(i), "test/wait"));
    }
    EXPECT_TRUE(co_await wire.ask("more", "test/echo"));
    const auto refused = co_await wire.next();
    ALKNET_CO_ASSERT_OK(refused);
    EXPECT_EQ(refused->id, "more");
    const Failed* failed = std::get_if<Failed>(&refused->event);
    ALKNET_CO_ASSERT(failed != nullptr);
    EXPECT_EQ(failed->code, "LIMIT");
    EXPECT_TRUE(failed->retryable);
    EXPECT_THAT(failed->details.text(), HasSubstr("in_flight_max"));
    // An abort makes room.
    EXPECT_TRUE(co_await wire.send({.id = "0", .event = Aborted{}}));
    (void)co_await world.loop.sleep(std::chrono::milliseconds(1));
    EXPECT_TRUE(co_await wire.ask("now", "test/echo"));
    EXPECT_TRUE(std::holds_alternative<Responded>((co_await wire.next()).value().event));
    co_await world.end();
}

ALKNET_CO_TEST(CallBounds, InFlight) {
    CallLimits limits;
    limits.in_flight_max = 20;
    World world(loop, Carrier::streams, known(), limits);
    co_await fill(world, 20);
}

ALKNET_CO_TEST(CallBounds, InFlightOfAStrangerIs16) {
    World world(loop, Carrier::streams, std::nullopt);
    co_await fill(world, 16);
}

task<void> fill_streams(World& world, std::size_t most) {
    std::vector<std::unique_ptr<Wire>> wires;
    for (std::size_t i = 0; i <= most; ++i) {
        wires.push_back(std::make_unique<Wire>((co_await world.client->open_bi()).value()));
        EXPECT_TRUE(co_await wires.back()->ask(std::to_string(i), "test/echo"));
    }
    (void)co_await world.loop.sleep(std::chrono::milliseconds(1));
    EXPECT_EQ(world.seen.contexts.size(), most);
    // When one ends the next has its turn.
    EXPECT_TRUE(co_await wires[0]->stream().finish());
    EXPECT_EQ((co_await wires[0]->next()).value().id, "0");
    EXPECT_TRUE(co_await wires[0]->ended());
    EXPECT_EQ((co_await wires[most]->next()).value().id, std::to_string(most));
    co_await world.end();
}

ALKNET_CO_TEST(CallBounds, Streams) {
    CallLimits limits;
    limits.streams_max = 3;
    World world(loop, Carrier::streams, known(), limits);
    co_await fill_streams(world, 3);
}

ALKNET_CO_TEST(CallBounds, StreamsOfAStrangerAre8) {
    World world(loop, Carrier::streams, std::nullopt);
    co_await fill_streams(world, 8);
}

ALKNET_CO_TEST(CallBounds, OneBudgetOfOctetsForAllStreams) {
    CallLimits limits;
    limits.bytes_max = 100'000;
    World world(loop, Carrier::streams, known(), limits);
    Wire first((co_await world.client->open_bi()).value());
    Wire second((co_await world.client->open_bi()).value());
    // Requests that run …
    EXPECT_TRUE(co_await first.ask("1", "test/wait", std::string(60'000, 'x')));
    EXPECT_TRUE(co_await second.ask("2", "test/echo", std::string(60'000, 'x')));
    const auto refused = co_await second.next();
    ALKNET_CO_ASSERT_OK(refused);
    EXPECT_THAT(encode_event(*refused), HasSubstr("bytes_max"));
    co_await world.end();
}

// … and frames that never end.
ALKNET_CO_TEST(CallBounds, FramesThatAreNotWholeCountToo) {
    CallLimits limits;
    limits.bytes_max = 100'000;
    World world(loop, Carrier::streams, known(), limits);
    Wire first((co_await world.client->open_bi()).value());
    Wire second((co_await world.client->open_bi()).value());
    Bytes part = hex_decode("00100000").value();
    part.resize(60'000);
    EXPECT_TRUE(co_await first.send(part));
    (void)co_await world.loop.sleep(std::chrono::milliseconds(1));
    EXPECT_TRUE(co_await second.send(part));
    EXPECT_EQ(co_await second.failure(""), "LIMIT");
    EXPECT_TRUE(co_await second.ended());
    // What it held is there for others again.
    Wire third((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await third.ask("3", "test/echo", std::string(30'000, 'x')));
    EXPECT_EQ((co_await third.next()).value().id, "3");
    co_await world.end();
}

ALKNET_CO_TEST(CallBounds, AnAnswerIsNoLongerThanAFrame) {
    CallLimits limits;
    limits.frame_bytes_max = 10'000;
    World world(loop, Carrier::streams, known(), limits);
    const auto client = CallClient::create(loop, world.client, {.limits = limits});
    EXPECT_TRUE(co_await client->call("test/large", 9'000));
    EXPECT_TRUE((co_await client->call("test/large", 11'000)).error().is(causes::kLimit));
    const auto asked = co_await client->call("test/echo", std::string(11'000, 'x'));
    EXPECT_TRUE(asked.error().is(causes::kLimit));
    EXPECT_TRUE(co_await client->call("test/echo", {}));
    co_await client->close();
    co_await world.end();
}

task<void> wait_long(CallClient& client) {
    (void)co_await client.call("test/wait", {}, {.timeout = std::chrono::hours(1)});
}

ALKNET_CO_TEST(CallBounds, Pending) {
    CallLimits limits;
    limits.pending_max = 2;
    World world(loop);
    const auto client = CallClient::create(loop, world.client, {.limits = limits});
    TaskScope calls(loop);
    calls.spawn(wait_long(*client), "1");
    calls.spawn(wait_long(*client), "2");
    (void)co_await loop.sleep(std::chrono::milliseconds(1));
    EXPECT_EQ(client->pending(), 2U);
    const auto refused = co_await client->call("test/echo", {});
    EXPECT_TRUE(refused.error().is(causes::kLimit));
    EXPECT_THAT(refused.error().detail(), HasSubstr("pending_max"));
    calls.cancel();
    (void)co_await calls.join();
    EXPECT_TRUE(co_await client->call("test/echo", {}));
    co_await client->close();
    co_await world.end();
}

}  // namespace
}  // namespace alknet::call
