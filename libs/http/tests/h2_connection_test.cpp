// H2Connection, by frames written out by hand: requests side by side, credit, and floods.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>

#include "h2_world.hpp"

namespace alknet::http {
namespace {

using namespace test;
using std::chrono::seconds;
using testing::ElementsAre;

constexpr std::uint32_t kStreamsMax = ConnectionLimits{}.streams_max;

task<result<Response>> wait_for_ever(int& cancelled) {
    Event never;
    const auto waited = co_await never.wait();
    ++cancelled;
    co_return unexpected(waited.error());
}

ALKNET_CO_TEST(H2, AnswersSideBySide) {
    H2World world(loop);
    int cancelled = 0;
    world.route("GET", "/slow", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    world.route("GET", "/", [](Request&) { return say("hello"); });
    co_await world.send(preface() + get(1, "/slow") + get(3));
    const Frame head = co_await world.next(kHeaders);
    EXPECT_EQ(head.stream, 3U);
    EXPECT_EQ(head.payload.substr(0, 1), "\x88") << "200";
    const Frame data = co_await world.next(kData);
    EXPECT_EQ(data.payload, "hello");
    EXPECT_EQ(data.flags, kEndStream);
    co_await world.send(frame(kReset, 0, 1, std::string("\0\0\0\x08", 4)));
    co_await world.send(get(5));
    EXPECT_EQ((co_await world.next(kData)).stream, 5U);
    EXPECT_EQ(cancelled, 1) << "its client has gone";
    EXPECT_TRUE(co_await world.client->finish());
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.outcome);
    EXPECT_THAT(world.served, ElementsAre("/ 200", "/slow 0", "/ 200"));
}

ALKNET_CO_TEST(H2, BodiesBothWays) {
    H2World world(loop);
    world.route("POST", "/", echo);
    co_await world.send(preface() + frame(kHeaders, kEndHeaders, 1, fields("\x83")));
    co_await world.send(frame(kData, 0, 1, "hello "));
    co_await world.send(frame(kData, kEndStream, 1, "world"));
    EXPECT_EQ((co_await world.next(kData)).payload, "hello world");
    world.scope.cancel();
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2, CreditComesBackWhenTheBodyIsRead) {
    H2World world(loop);
    Event read;
    world.route("POST", "/", [&read](Request& request) -> task<result<Response>> {
        return [](Event& may, Request& asked) -> task<result<Response>> {
            ALKNET_CO_CHECK(co_await may.wait());
            co_return co_await echo(asked);
        }(read, request);
    });
    co_await world.send(preface() + frame(kHeaders, kEndHeaders, 1, fields("\x83")));
    const std::string piece(16'000, 'x');
    for (int i = 0; i < 4; ++i) {
        co_await world.send(frame(kData, 0, 1, piece));
    }
    co_await loop.sleep(seconds(1));
    EXPECT_THAT(world.received, testing::IsEmpty());
    read.set();
    Frame update = co_await world.next(kWindowUpdate);
    while (update.stream != 1) {
        update = co_await world.next(kWindowUpdate);
    }
    co_await world.send(frame(kData, kEndStream, 1, piece));
    EXPECT_EQ((co_await world.next(kHeaders)).payload.substr(0, 1), "\x88");
    world.scope.cancel();
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2, AClientThatOpensNoWindowIsNotWaitedFor) {
    H2World world(loop);
    world.route("GET", "/", [](Request&) { return say(std::string(100'000, 'x')); });
    co_await world.send(preface() + get(1));
    EXPECT_EQ((co_await world.next(kReset)).stream, 1U);
    world.scope.cancel();
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2, WhatIsRefusedIsSaid) {
    H2World world(loop);
    co_await world.send(preface() + get(1, "/%00") +
                        frame(kHeaders, kEndHeaders | kEndStream, 3,
                              "\x82\x87\x84\x01\x03"
                              "a b"));
    EXPECT_EQ((co_await world.next(kReset)).stream, 3U);
    EXPECT_EQ((co_await world.next(kHeaders)).payload.substr(0, 1), "\x8c") << "400";
    // A host that is not the authority, and a field that HTTP/2 does not have.
    co_await world.send(frame(kHeaders, kEndHeaders | kEndStream, 5,
                              fields() + "\x0f\x17\x01"
                                         "b"));
    EXPECT_EQ((co_await world.next(kHeaders)).payload.substr(0, 1), "\x8c");
    co_await world.send(frame(kHeaders, kEndHeaders | kEndStream, 7,
                              fields() + std::string("\0\x0a"
                                                     "connection"
                                                     "\x05"
                                                     "close",
                                                     18)));
    EXPECT_EQ((co_await world.next(kReset)).stream, 7U);
    world.scope.cancel();
    (void)co_await world.scope.join();
}

std::string literal(std::string_view name, std::string_view value) {
    std::string out(1, '\0');
    out.append(1, static_cast<char>(name.size())).append(name);
    return out.append(1, static_cast<char>(value.size())).append(value);
}

ALKNET_CO_TEST(H2, AHostMayStandForTheAuthority) {
    H2World world(loop);
    world.route("GET", "/", [](Request& request) { return say(request.head.authority); });
    co_await world.send(preface() + frame(kHeaders, kEndHeaders | kEndStream, 1,
                                          "\x82\x87\x84" + literal("host", "b")));
    EXPECT_EQ((co_await world.next(kData)).payload, "b");
    world.scope.cancel();
    (void)co_await world.scope.join();
}

// Its content would pass for requests where it is passed on.
ALKNET_CO_TEST(H2, ATunnelHasNoLength) {
    H2World world(loop);
    world.route("CONNECT", "/", [](Request&) { return say("a"); });
    const std::string tunnel = "\x87\x84" + literal(":method", "CONNECT") +
                               literal(":protocol", "websocket") + literal(":authority", "a") +
                               literal("content-length", "3");
    co_await world.send(preface() + frame(kHeaders, kEndHeaders, 1, tunnel));
    EXPECT_EQ((co_await world.next(kHeaders)).payload.substr(0, 1), "\x8c") << "400";
    world.scope.cancel();
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2, AStreamThatWasGonePastIsClosed) {
    H2World world(loop);
    world.route("GET", "/", [](Request&) { return say("a"); });
    co_await world.send(preface() + get(1) + get(7) + get(9) + get(5));
    EXPECT_EQ(co_await world.goodbye(), 1U) << "PROTOCOL_ERROR";
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2, TrailersThatCrossedAResetAreDropped) {
    H2World world(loop);
    world.route("GET", "/", [](Request&) { return say("a"); });
    const std::string wrong = frame(kHeaders, kEndHeaders, 3,
                                    "\x82\x87\x84\x01\x03"
                                    "a b");
    co_await world.send(preface() + wrong);
    EXPECT_EQ((co_await world.next(kReset)).stream, 3U);
    co_await world.send(frame(kHeaders, kEndHeaders | kEndStream, 3, "") + get(5));
    EXPECT_EQ((co_await world.next(kHeaders)).stream, 5U);
    world.scope.cancel();
    (void)co_await world.scope.join();
}

std::string credit(std::uint32_t stream, std::size_t octets) {
    WireWriter out;
    out.number(static_cast<std::uint32_t>(octets));
    return frame(kWindowUpdate, 0, stream, as_text(out.view()));
}

// A client that only downloads sends nothing but credit, for as long as it takes.
ALKNET_CO_TEST(H2, CreditForALongDownloadIsNoFlood) {
    H2World world(loop);
    constexpr std::size_t kContent = 2 << 20;
    world.route("GET", "/", [](Request&) { return say(std::string(kContent, 'x')); });
    co_await world.send(preface() + get(1));
    std::size_t got = 0;
    std::size_t updates = 0;
    for (bool ended = false; !ended;) {
        const Frame data = co_await world.next(kData);
        ALKNET_CO_ASSERT(data.type == kData);
        got += data.payload.size();
        ended = data.flags == kEndStream;
        for (std::size_t left = data.payload.size(); left > 0 && !ended; updates += 2) {
            const std::size_t part = std::min<std::size_t>(left, 1000);
            co_await world.send(credit(0, part) + credit(1, part));
            left -= part;
        }
    }
    EXPECT_EQ(got, kContent);
    EXPECT_GT(updates, 2 * kIdleFramesMax);
    EXPECT_TRUE(co_await world.client->finish());
    EXPECT_EQ(co_await world.goodbye(), 0U);
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2, AConnectionWithoutRequestsEnds) {
    H2World world(loop);
    co_await world.send(preface());
    const TimePoint began = loop.now();
    EXPECT_EQ(co_await world.goodbye(), 0U);
    EXPECT_EQ(loop.now() - began, ConnectionLimits{}.keep_alive_timeout);
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.outcome);
}

ALKNET_CO_TEST(H2, DrainsOnceItsRequestsAreAnswered) {
    H2World world(loop);
    Event go;
    world.route("GET", "/", [&go](Request&) -> task<result<Response>> {
        return [](Event& may) -> task<result<Response>> {
            ALKNET_CO_CHECK(co_await may.wait());
            co_return text_response(200, "done");
        }(go);
    });
    co_await world.send(preface() + get(1));
    co_await loop.sleep(seconds(1));
    world.connection->drain();
    EXPECT_EQ(co_await world.goodbye(), 0U);
    go.set();
    EXPECT_EQ((co_await world.next(kData)).payload, "done");
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.outcome);
}

// ---- a client that takes a few octets at a time gets whole frames to the end ----

constexpr std::size_t kSlowContent = 40'000;

struct SlowWorld : H2World {
    explicit SlowWorld(Loop& its_loop, const Limits& limits = {})
        : H2World(its_loop, limits, {.buffer_bytes = 64}) {
        route("GET", "/", [](Request&) { return say(std::string(kSlowContent, 'x')); });
    }
    /// The content of the one response, a good-bye, and nothing after it.
    task<void> expect_whole_response() {
        std::string content;
        for (bool ended = false; !ended;) {
            const Frame data = co_await next(kData);
            ALKNET_CO_ASSERT(data.type == kData);
            content += data.payload;
            ended = data.flags == kEndStream;
        }
        EXPECT_TRUE(content == std::string(kSlowContent, 'x'));
        const Frame last = co_await next(kGoAway);
        EXPECT_EQ(last.type, kGoAway);
        EXPECT_EQ(last.payload, std::string("\0\0\0\1\0\0\0\0", 8));
        EXPECT_TRUE((co_await take(1)).empty());
        (void)co_await scope.join();
        EXPECT_TRUE(outcome);
        EXPECT_THAT(served, ElementsAre("/ 200"));
    }
};

ALKNET_CO_TEST(H2Slow, TheLastResponseBeforeADrain) {
    SlowWorld world(loop);
    co_await world.send(preface() + get(1));
    (void)co_await world.next(kHeaders);
    world.connection->drain();
    co_await world.expect_whole_response();
}

ALKNET_CO_TEST(H2Slow, TheLastResponseThatTheLimitAllows) {
    Limits limits;
    limits.connection.requests_max = 1;
    SlowWorld world(loop, limits);
    co_await world.send(preface() + get(1));
    EXPECT_EQ(co_await world.goodbye(), 0U);
    co_await world.expect_whole_response();
}

ALKNET_CO_TEST(H2Slow, TheResponseToAClientThatHasFinished) {
    SlowWorld world(loop);
    co_await world.send(preface() + get(1));
    EXPECT_TRUE(co_await world.client->finish());
    co_await world.expect_whole_response();
}

ALKNET_CO_TEST(H2Slow, AGoodbyeForAFlood) {
    SlowWorld world(loop);
    co_await world.send(preface() + get(1));
    (void)co_await world.next(kHeaders);  // more of the response is being written now
    std::string octets;
    for (std::size_t i = 0; i <= kIdleFramesMax; ++i) {
        octets += credit(0, 1);
    }
    co_await world.send(std::move(octets));
    co_await loop.sleep(seconds(1));
    EXPECT_EQ(co_await world.goodbye(), 11U);
    EXPECT_TRUE((co_await world.take(1)).empty());
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2Slow, AClientThatStopsReadingIsLeft) {
    SlowWorld world(loop);
    co_await world.send(preface() + get(1));
    const TimePoint began = loop.now();
    world.connection->drain();
    (void)co_await world.scope.join();
    EXPECT_EQ(loop.now() - began, ConnectionLimits{}.send_timeout);
    EXPECT_TRUE(!world.outcome && world.outcome.error().is(errc::timeout));
}

// ---- floods: each ends the connection ----

task<std::uint32_t> flood(Loop& loop, const std::function<std::string(std::uint32_t)>& piece) {
    H2World world(loop);
    int cancelled = 0;
    world.route("GET", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    std::string octets = preface();
    for (std::uint32_t i = 0; i < 3000; ++i) {
        octets += piece(i);
    }
    TaskScope sending(loop);
    sending.spawn(world.send(std::move(octets)), "flood");
    const std::uint32_t code = co_await world.goodbye();
    sending.cancel();
    (void)co_await sending.join();
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.served.size() <= 1000U);
    co_return code;
}

ALKNET_CO_TEST(H2Floods, RapidReset) {
    const auto piece = [](std::uint32_t i) {
        return get(1 + 2 * i) + frame(kReset, 0, 1 + 2 * i, std::string("\0\0\0\x08", 4));
    };
    EXPECT_NE(co_await flood(loop, piece), 0U);
}

ALKNET_CO_TEST(H2Floods, Settings) {
    EXPECT_NE(co_await flood(loop, [](std::uint32_t) { return frame(kSettings, 0, 0, ""); }), 0U);
}

ALKNET_CO_TEST(H2Floods, Pings) {
    EXPECT_NE(co_await flood(loop, [](std::uint32_t) { return frame(kPing, 0, 0, "12345678"); }),
              0U);
}

ALKNET_CO_TEST(H2Floods, WindowUpdates) {
    EXPECT_NE(co_await flood(loop,
                             [](std::uint32_t) {
                                 return frame(kWindowUpdate, 0, 0, std::string("\0\0\0\x01", 4));
                             }),
              0U);
}

ALKNET_CO_TEST(H2Floods, EmptyData) {
    const auto piece = [](std::uint32_t i) {
        return i == 0 ? frame(kHeaders, kEndHeaders, 1, fields("\x83")) : frame(kData, 0, 1, "");
    };
    EXPECT_NE(co_await flood(loop, piece), 0U);
}

ALKNET_CO_TEST(H2Floods, Continuations) {
    const auto piece = [](std::uint32_t i) {
        return i == 0 ? frame(kHeaders, kEndStream, 1, fields())
                      : frame(kContinuation, 0, 1, "\x40\x01x\x01y");
    };
    EXPECT_NE(co_await flood(loop, piece), 0U);
}

task<void> send_all(H2World& world, std::string octets, bool& taken) {
    taken = (co_await world.client->write(as_bytes(octets))).has_value();
}

// nghttp2 refuses these by itself and tells nobody, for as long as its SETTINGS have no answer.
ALKNET_CO_TEST(H2Floods, RefusedRequestsOfAClientThatReadsNothing) {
    H2World world(loop, {}, {.buffer_bytes = 1024});
    int cancelled = 0;
    world.route("GET", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    std::string octets = preface();
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        octets += get(1 + 2 * i);
    }
    bool taken = false;
    TaskScope sending(loop);
    sending.spawn(send_all(world, std::move(octets), taken), "flood");
    co_await loop.sleep(seconds(1));
    EXPECT_FALSE(taken) << "an answer to each waits in memory";
    (void)co_await world.scope.join();
    sending.cancel();
    (void)co_await sending.join();
    EXPECT_FALSE(taken);
    EXPECT_EQ(cancelled, static_cast<int>(kStreamsMax));
}

ALKNET_CO_TEST(H2Limits, Requests) {
    Limits limits;
    limits.connection.requests_max = 2;
    H2World world(loop, limits);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    co_await world.send(preface() + get(1) + get(3) + get(5));
    EXPECT_EQ(co_await world.goodbye(), 0U);
    (void)co_await world.scope.join();
    EXPECT_EQ(world.served.size(), 2U);
}

// One that is too slow is the end of its stream, and of nothing else.
ALKNET_CO_TEST(H2Limits, OctetsOfTheBodyEachSecond) {
    H2World world(loop);
    world.route("POST", "/", echo);
    world.route("GET", "/", [](Request&) { return say("there"); });
    co_await world.send(preface() + frame(kHeaders, kEndHeaders, 1, fields("\x83")));
    for (int i = 0; i < 12; ++i) {
        co_await world.send(frame(kData, 0, 1, std::string(100, 'x')));
        co_await loop.sleep(seconds(1));
    }
    EXPECT_THAT((co_await world.next(kData)).payload,
                testing::HasSubstr("http.limits.body_rate_min"));
    co_await world.send(get(3));
    EXPECT_EQ((co_await world.next(kData)).payload, "there") << "on the same connection";
    EXPECT_THAT(world.served, ElementsAre("/ 408", "/ 200"));
    world.scope.cancel();
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2Limits, OneThatIsJustFastEnoughIsTaken) {
    H2World world(loop);
    world.route("POST", "/", echo);
    co_await world.send(preface() + frame(kHeaders, kEndHeaders, 1, fields("\x83")));
    for (int i = 0; i < 20; ++i) {
        const std::uint8_t flags = i == 19 ? kEndStream : std::uint8_t{0};
        co_await world.send(frame(kData, flags, 1, std::string(600, 'x')));
        co_await loop.sleep(seconds(1));
    }
    EXPECT_THAT(world.served, ElementsAre("/ 200"));
    world.scope.cancel();
    (void)co_await world.scope.join();
}

// What has come is what counts, however little of it the handler has read.
ALKNET_CO_TEST(H2Limits, OneThatComesAtOnceAfterAPauseIsTaken) {
    H2World world(loop);
    world.route("POST", "/", echo);
    co_await world.send(preface() + frame(kHeaders, kEndHeaders, 1, fields("\x83")));
    co_await loop.sleep(seconds(11));
    co_await world.send(frame(kData, 0, 1, std::string(16'000, 'x')) +
                        frame(kData, kEndStream, 1, std::string(16'000, 'x')));
    co_await loop.sleep(seconds(1));
    EXPECT_THAT(world.served, ElementsAre("/ 200"));
    world.scope.cancel();
    (void)co_await world.scope.join();
}

task<result<Response>> echo_after(Event& event, Request& request) {
    (void)co_await event.wait();
    co_return co_await echo(request);
}

ALKNET_CO_TEST(H2Limits, OneThatHasNoCreditIsNotSlow) {
    H2World world(loop);
    Event go;
    world.route("POST", "/later", [&go](Request& request) { return echo_after(go, request); });
    world.route("POST", "/", echo);
    co_await world.send(preface());
    for (const std::uint32_t stream : {1U, 3U, 5U, 7U}) {  // all that the connection has
        std::string octets = frame(kHeaders, kEndHeaders, stream, fields("\x83", "/later"));
        for (const std::size_t size : {16'384U, 16'384U, 16'384U, 16'383U}) {
            octets += frame(kData, 0, stream, std::string(size, 'x'));
        }
        co_await world.send(std::move(octets));
    }
    co_await world.send(frame(kHeaders, kEndHeaders, 9, fields("\x83")));
    co_await loop.sleep(seconds(120));
    EXPECT_THAT(world.served, ElementsAre());
    go.set();
    co_await loop.sleep(seconds(1));
    co_await world.send(frame(kData, 0, 9, std::string(2000, 'y')));
    co_await loop.sleep(seconds(1));
    co_await world.send(frame(kData, kEndStream, 9, std::string(2000, 'y')));
    co_await loop.sleep(seconds(1));
    EXPECT_THAT(world.served, ElementsAre("/ 200"));
    world.scope.cancel();
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2Limits, RequestsAtATime) {
    H2World world(loop);
    int cancelled = 0;
    world.route("GET", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    std::string octets = preface();
    for (std::uint32_t i = 0; i <= kStreamsMax; ++i) {
        octets += get(1 + 2 * i);
    }
    co_await world.send(octets);
    const Frame reset = co_await world.next(kReset);
    EXPECT_EQ(reset.stream, 1 + 2 * kStreamsMax);
    // A client that has been told how many it may open breaks a rule by that.
    co_await world.send(frame(kSettings, 1, 0, "") + get(3 + 2 * kStreamsMax));
    EXPECT_EQ(co_await world.goodbye(), 1U);
    (void)co_await world.scope.join();
    EXPECT_EQ(cancelled, static_cast<int>(kStreamsMax));
}

ALKNET_CO_TEST(H2Limits, OctetsOfTheHead) {
    H2World world(loop);
    std::string block = fields();
    for (int i = 0; i < 5; ++i) {
        block += std::string("\0\x01x", 3) + "\x7f\x81\x1e" + std::string(3968, 'v');
    }
    co_await world.send(preface() + frame(kHeaders, kEndStream, 1, block.substr(0, 10'000)) +
                        frame(kContinuation, kEndHeaders, 1, block.substr(10'000)));
    EXPECT_EQ((co_await world.next(kData)).flags, kEndStream);
    // Once in the table, and then thousands of times by one octet.
    block = fields() + "\x40\x01x\x7f\x81\x1e" + std::string(3968, 'v') + std::string(4000, '\xbe');
    co_await world.send(frame(kHeaders, kEndStream | kEndHeaders, 3, block));
    EXPECT_EQ((co_await world.next(kData)).flags, kEndStream);
    world.scope.cancel();
    (void)co_await world.scope.join();
    EXPECT_THAT(world.served, ElementsAre("/ 431", "/ 431"));
}

}  // namespace
}  // namespace alknet::http
