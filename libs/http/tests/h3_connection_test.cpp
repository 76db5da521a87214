// H3Connection, by frames written out by hand: requests side by side, bodies, cancelling, limits.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>

#include "h3_world.hpp"

namespace alknet::http {
namespace {

using namespace test;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

/// The prefix of a field section without the dynamic table, and `:status: 200`.
const std::string kOk("\0\0\xd9", 3);
const std::string kBadRequest("\0\0\xff\x04", 4);

task<result<Response>> wait_for_ever(int& cancelled) {
    Event never;
    const auto waited = co_await never.wait();
    ++cancelled;
    co_return unexpected(waited.error());
}

task<result<Response>> wait_for(Event& go) {
    ALKNET_CO_CHECK(co_await go.wait());
    co_return text_response(200, "done");
}

task<void> settle(Loop& loop) {
    co_await loop.sleep(seconds(1));
}

ALKNET_CO_TEST(H3, AnswersSideBySide) {
    H3World world(loop);
    Event go;
    world.route("GET", "/slow", [&go](Request&) { return wait_for(go); });
    world.route("GET", "/", [](Request&) { return say("hello"); });
    co_await world.greet();
    const auto slow = co_await world.open(h3_head("GET", "/slow"));
    EXPECT_TRUE(co_await slow->finish());
    const H3Answer answer = co_await world.ask(h3_head("GET", "/"));
    EXPECT_THAT(answer.head, StartsWith(kOk));
    EXPECT_EQ(answer.content, "hello");
    EXPECT_TRUE(answer.ended);
    go.set();
    EXPECT_EQ((co_await H3World::answer(*slow)).content, "done");
    co_await world.finish();
    EXPECT_TRUE(world.outcome);
    EXPECT_THAT(world.served, ElementsAre("/ 200", "/slow 200"));
}

ALKNET_CO_TEST(H3, TellsItsSettings) {
    H3World world(loop);
    const std::vector<H3Frame> frames = co_await world.control();
    ALKNET_CO_ASSERT(!frames.empty() && frames[0].type == kSettingsFrame);
    std::map<std::uint64_t, std::uint64_t> settings;
    for (BytesView rest = as_bytes(frames[0].payload); !rest.empty();) {
        const auto id = take_varint(rest);
        settings[id.value_or(0)] = take_varint(rest).value_or(0);
    }
    EXPECT_EQ(settings[6], MessageLimits{}.header_bytes_max);
    EXPECT_EQ(settings[1], kQpackTableBytesMax);
    EXPECT_EQ(settings[7], kQpackBlockedMax);
    EXPECT_EQ(settings[8], 1U) << "SETTINGS_ENABLE_CONNECT_PROTOCOL";
    co_await world.finish();
}

ALKNET_CO_TEST(H3, HeadHasNoContent) {
    H3World world(loop);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    co_await world.greet();
    const H3Answer answer = co_await world.ask(h3_head("HEAD", "/"));
    EXPECT_THAT(answer.head, testing::HasSubstr("\x54\x01"
                                                "5"))
        << "content-length";
    EXPECT_EQ(answer.content, "");
    EXPECT_TRUE(answer.ended);
    co_await world.finish();
}

task<result<Response>> has_body(Request& request) {
    co_return text_response(200, request.head.has_body() ? "body" : "none");
}

ALKNET_CO_TEST(H3, ARequestThatEndsWithItsHeadHasNoBody) {
    H3World world(loop);
    world.route("GET", "/", has_body);
    co_await world.greet();
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).content, "none");
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/") + h3_frame(kDataFrame, "x"))).content,
              "body");
    co_await world.finish();
}

ALKNET_CO_TEST(H3, BodiesBothWays) {
    H3World world(loop);
    world.route("POST", "/", echo);
    co_await world.greet();
    const auto stream = co_await world.open(h3_head("POST", "/") + h3_frame(kDataFrame, "hello "));
    co_await settle(loop);
    EXPECT_TRUE(co_await stream->write(as_bytes(h3_frame(kDataFrame, "world"))));
    EXPECT_TRUE(co_await stream->finish());
    EXPECT_EQ((co_await H3World::answer(*stream)).content, "hello world");
    const std::string large(200'000, 'x');
    EXPECT_TRUE((co_await world.ask(h3_head("POST", "/") + h3_frame(kDataFrame, large))).content ==
                large);
    co_await world.finish();
}

ALKNET_CO_TEST(H3, TrailersAreNoContent) {
    H3World world(loop);
    world.route("POST", "/", echo);
    co_await world.greet();
    const std::string trailers =
        h3_frame(kHeadersFrame, std::string("\0\0", 2) + h3_field("x", "y"));
    const H3Answer answer =
        co_await world.ask(h3_head("POST", "/") + h3_frame(kDataFrame, "hello") + trailers);
    EXPECT_EQ(answer.content, "hello");
    co_await world.finish();
}

ALKNET_CO_TEST(H3, ABodyIsReadNoFasterThanItsHandlerTakesIt) {
    H3World world(loop);
    Event read;
    world.route("POST", "/", [&read](Request& request) -> task<result<Response>> {
        return [](Event& may, Request& asked) -> task<result<Response>> {
            ALKNET_CO_CHECK(co_await may.wait());
            co_return co_await echo(asked);
        }(read, request);
    });
    co_await world.greet();
    const auto stream = co_await world.open(h3_head("POST", "/"));
    const std::string body = h3_frame(kDataFrame, std::string(200'000, 'x'));
    bool taken = false;
    TaskScope sending(loop);
    const auto send = [](BiStream& to, std::string octets, bool& done) -> task<void> {
        done = (co_await to.write(as_bytes(octets))).has_value();
    };
    sending.spawn(send(*stream, body, taken), "body");
    co_await settle(loop);
    EXPECT_FALSE(taken) << "the transport's buffer and one piece are all that is held";
    read.set();
    EXPECT_TRUE(co_await sending.join());
    EXPECT_TRUE(taken);
    EXPECT_TRUE(co_await stream->finish());
    EXPECT_EQ((co_await H3World::answer(*stream)).content.size(), 200'000U);
    co_await world.finish();
}

ALKNET_CO_TEST(H3, ContinueIsSaidWhenTheBodyIsWanted) {
    H3World world(loop);
    world.route("POST", "/", echo);
    co_await world.greet();
    const auto stream =
        co_await world.open(h3_head("POST", "/", h3_field("expect", "100-continue")));
    std::array<std::byte, 100> piece{};
    const auto count = co_await stream->read(piece);
    ALKNET_CO_ASSERT_OK(count);
    EXPECT_THAT(as_text(BytesView(piece).first(*count)),
                testing::EndsWith(std::string_view("\xff\0", 2)))
        << "100";
    EXPECT_TRUE(co_await stream->write(as_bytes(h3_frame(kDataFrame, "body"))));
    EXPECT_TRUE(co_await stream->finish());
    EXPECT_EQ((co_await H3World::answer(*stream)).content, "body");
    co_await world.finish();
}

// As a proxy does whose server answers before it has read.
ALKNET_CO_TEST(H3, ContinueAndAnEarlyAnswerAreWrittenOneAfterTheOther) {
    MemoryConnectionOptions options;
    options.stream_buffer_bytes = 4;
    H3World world(loop, {}, options);
    std::optional<TaskScope> reading;
    world.route("POST", "/",
                [&](Request& request) { return answer_while_reading(request, reading); });
    co_await world.greet();
    const auto stream =
        co_await world.open(h3_head("POST", "/", h3_field("expect", "100-continue")));
    const H3Answer answer = co_await H3World::answer(*stream);
    EXPECT_TRUE(answer.ended);
    EXPECT_EQ(answer.content, std::string(100, 'x'));
    reading.reset();
    co_await world.finish();
}

// ---- a client that goes ----

ALKNET_CO_TEST(H3, TakingBackARequestCancelsIt) {
    H3World world(loop);
    int cancelled = 0;
    world.route("GET", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    co_await world.greet();
    auto stream = co_await world.open(h3_head("GET", "/"));
    co_await settle(loop);
    stream->reset(h3_code::kRequestCancelled);
    co_await settle(loop);
    EXPECT_EQ(cancelled, 1);
    // Once the request has ended, only STOP_SENDING is left to say it with.
    stream = co_await world.open(h3_head("GET", "/"));
    EXPECT_TRUE(co_await stream->finish());
    co_await settle(loop);
    stream->stop(h3_code::kRequestCancelled);
    co_await settle(loop);
    EXPECT_EQ(cancelled, 2);
    co_await world.finish();
    EXPECT_THAT(world.served, ElementsAre("/ 0", "/ 0"));
}

ALKNET_CO_TEST(H3, TheEndOfTheConnectionCancelsWhatRuns) {
    H3World world(loop);
    int cancelled = 0;
    world.route("GET", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    co_await world.greet();
    const auto stream = co_await world.open(h3_head("GET", "/"));
    co_await settle(loop);
    co_await world.finish();
    EXPECT_TRUE(world.outcome);
    EXPECT_EQ(cancelled, 1);
}

ALKNET_CO_TEST(H3, AnAnswerBeforeTheEndOfTheBodyStopsTheBody) {
    H3World world(loop);
    world.route("POST", "/", [](Request&) { return say("enough"); });
    co_await world.greet();
    const auto stream = co_await world.open(h3_head("POST", "/") + h3_frame(kDataFrame, "x"));
    EXPECT_EQ((co_await H3World::answer(*stream)).content, "enough");
    co_await settle(loop);
    const auto written = co_await stream->write(as_bytes("y"));
    ALKNET_CO_ASSERT(!written);
    EXPECT_EQ(written.error().code(), h3_code::kNoError);
    co_await world.finish();
}

ALKNET_CO_TEST(H3, AClientThatReadsNothingIsNotWaitedFor) {
    H3World world(loop);
    world.route("GET", "/", [](Request&) { return say(std::string(300'000, 'x')); });
    co_await world.greet();
    const auto stream = co_await world.open(h3_head("GET", "/"));
    EXPECT_TRUE(co_await stream->finish());
    co_await loop.sleep(ConnectionLimits{}.send_timeout + seconds(1));
    EXPECT_EQ((co_await H3World::answer(*stream)).reset_code, h3_code::kRequestIncomplete);
    co_await world.finish();
}

/// Gives less than it says.
class ShortSource final : public BodySource {
public:
    task<result<std::size_t>> read(MutableBytes) override { co_return std::size_t{0}; }
};

ALKNET_CO_TEST(H3, AResponseThatBreaksOffIsReset) {
    H3World world(loop);
    world.route("GET", "/", [](Request&) -> task<result<Response>> {
        Response response;
        response.source = std::make_unique<ShortSource>();
        response.source_size = 10;
        co_return response;
    });
    co_await world.greet();
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).reset_code, h3_code::kInternalError);
    co_await world.finish();
}

// ---- the end ----

ALKNET_CO_TEST(H3, AConnectionWithoutRequestsEnds) {
    H3World world(loop);
    co_await world.greet();
    const TimePoint began = loop.now();
    EXPECT_EQ(co_await world.goodbye(), h3_code::kNoError);
    EXPECT_EQ(loop.now() - began, ConnectionLimits{}.keep_alive_timeout);
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.outcome);
}

ALKNET_CO_TEST(H3, DrainsOnceItsRequestsAreAnswered) {
    H3World world(loop);
    Event go;
    world.route("GET", "/", [&go](Request&) { return wait_for(go); });
    co_await world.greet();
    const auto stream = co_await world.open(h3_head("GET", "/"));
    EXPECT_TRUE(co_await stream->finish());
    co_await settle(loop);
    (void)co_await world.control();
    world.connection->drain();
    const std::vector<H3Frame> told = co_await world.control();
    ALKNET_CO_ASSERT(!told.empty());
    EXPECT_EQ(told.back().type, kGoAwayFrame);
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).reset_code, h3_code::kRequestRejected);
    go.set();
    EXPECT_EQ((co_await H3World::answer(*stream)).content, "done");
    EXPECT_EQ(co_await world.goodbye(), h3_code::kNoError);
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.outcome);
}

// ---- what is refused ----

ALKNET_CO_TEST(H3, WhatIsRefusedIsSaid) {
    H3World world(loop);
    co_await world.greet();
    EXPECT_THAT((co_await world.ask(h3_head("GET", "/%00"))).head, StartsWith(kBadRequest));
    EXPECT_THAT((co_await world.ask(h3_head("GET", "/", h3_field("host", "b")))).head,
                StartsWith(kBadRequest));
    EXPECT_THAT((co_await world.ask(h3_head("GET", "/", h3_field("content_length", "1")))).head,
                StartsWith(kBadRequest));
    co_await world.finish();
    EXPECT_THAT(world.served, ElementsAre("/%00 400", "/ 400", "/ 400"));
}

ALKNET_CO_TEST(H3, WhatHttp3DoesNotHaveIsReset) {
    H3World world(loop);
    co_await world.greet();
    constexpr std::uint64_t kMessageError = 0x10e;
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/", h3_field("connection", "close")))).reset_code,
              kMessageError);
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/", h3_field("Upper", "x")))).reset_code,
              kMessageError);
    co_await world.finish();
    EXPECT_THAT(world.served, IsEmpty());
}

ALKNET_CO_TEST(H3, UnknownFramesAndStreamsAreSkipped) {
    H3World world(loop);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    co_await world.greet(std::string("\x21\x05", 2));
    co_await world.send_other(std::string("\x21garbage", 8));
    co_await settle(loop);
    const auto written = co_await world.others.back()->write(as_bytes("more"));
    ALKNET_CO_ASSERT(!written);
    EXPECT_EQ(written.error().code(), 0x103U);
    EXPECT_EQ((co_await world.ask(h3_frame(0x21, "x") + h3_head("GET", "/"))).content, "hello");
    co_await world.finish();
}

// nghttp3 1.8 aborts when it is given less than the whole of one of these.
ALKNET_CO_TEST(H3, ThePriorityOfARequestMayComeInPieces) {
    const std::string update = h3_frame(0xf0700, std::string(1, '\0') + "u=1");
    for (std::size_t cut = 1; cut < update.size(); ++cut) {
        H3World world(loop);
        world.route("GET", "/", [](Request&) { return say("hello"); });
        co_await world.greet();
        EXPECT_TRUE(co_await world.others.back()->write(as_bytes(update.substr(0, cut))));
        co_await settle(loop);
        EXPECT_TRUE(co_await world.others.back()->write(as_bytes(update.substr(cut))));
        co_await settle(loop);
        EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).content, "hello");
        co_await world.finish();
    }
}

ALKNET_CO_TEST(H3Limits, OctetsOfAControlFrame) {
    H3World world(loop);
    co_await world.greet();
    const std::string frame = h3_frame(0x21, std::string(kControlFrameBytesMax + 100, 'x'));
    (void)co_await world.others.back()->write(as_bytes(frame).first(frame.size() - 1));
    EXPECT_EQ(co_await world.goodbye(), h3_code::kExcessiveLoad);
    (void)co_await world.scope.join();
}

task<std::uint64_t> broken_by(Loop& loop, std::string control, std::string request) {
    H3World world(loop);
    co_await world.send_other(control);
    std::unique_ptr<BiStream> stream;
    if (!request.empty()) {
        stream = co_await world.open(request);
    }
    const std::uint64_t code = co_await world.goodbye();
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.outcome);
    co_return code;
}

ALKNET_CO_TEST(H3, WhoBreaksARuleIsToldWhich) {
    const std::string settings = std::string(1, '\0') + h3_frame(kSettingsFrame, "");
    EXPECT_EQ(co_await broken_by(loop, std::string(1, '\0') + h3_frame(0x21, ""), ""), 0x10aU)
        << "no SETTINGS";
    EXPECT_EQ(co_await broken_by(loop, settings + h3_frame(kDataFrame, ""), ""), 0x105U);
    EXPECT_EQ(co_await broken_by(loop, settings, h3_frame(kDataFrame, "x")), 0x105U);
    EXPECT_EQ(co_await broken_by(loop, settings, h3_frame(kSettingsFrame, "")), 0x105U);
    EXPECT_EQ(
        co_await broken_by(loop, settings, h3_frame(kHeadersFrame, std::string("\0\0\xff\x40", 4))),
        0x200U);
}

ALKNET_CO_TEST(H3, AControlStreamThatEndsEndsTheConnection) {
    for (const bool reset : {false, true}) {
        H3World world(loop);
        co_await world.greet();
        co_await settle(loop);
        if (reset) {
            world.others.back()->reset(0);
        } else {
            EXPECT_TRUE(co_await world.others.back()->finish());
        }
        EXPECT_EQ(co_await world.goodbye(), 0x104U);
        (void)co_await world.scope.join();
    }
}

// ---- QPACK: a head that waits for another stream ----

ALKNET_CO_TEST(H3, AHeadMayWaitForItsTable) {
    H3World world(loop);
    world.route("GET", "/table", [](Request&) { return say("hello"); });
    co_await world.greet();
    // Required insert count 1, base 1; index 0 of the dynamic table is the path.
    const std::string section = std::string("\2\0", 2) + h3_field(":method", "GET") + "\xd7" +
                                h3_field(":authority", "a") + "\x80";
    const auto stream = co_await world.open(h3_frame(kHeadersFrame, section));
    EXPECT_TRUE(co_await stream->finish());
    co_await settle(loop);
    EXPECT_THAT(world.served, IsEmpty());
    // The encoder's stream: a capacity of 220, and `:path: /table` by the static name 1.
    co_await world.send_other(std::string("\2\x3f\xbd\x01\xc1\6/table", 12));
    EXPECT_EQ((co_await H3World::answer(*stream)).content, "hello");
    co_await world.finish();
}

ALKNET_CO_TEST(H3, AHeadThatWaitsForEverIsGivenUp) {
    H3World world(loop);
    co_await world.greet();
    const std::string head = h3_frame(kHeadersFrame, std::string("\2\0\x80", 3));
    const H3Answer answer = co_await world.ask(head + h3_frame(kDataFrame, "body"));
    EXPECT_EQ(answer.reset_code, h3_code::kRequestCancelled);
    co_await world.finish();
}

// ---- limits ----

ALKNET_CO_TEST(H3Limits, Requests) {
    Limits limits;
    limits.connection.requests_max = 2;
    H3World world(loop, limits);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    co_await world.greet();
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).content, "hello");
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).content, "hello");
    EXPECT_EQ(co_await world.goodbye(), h3_code::kNoError);
    (void)co_await world.scope.join();
    EXPECT_EQ(world.served.size(), 2U);
}

ALKNET_CO_TEST(H3Limits, RequestsAtATime) {
    MemoryConnectionOptions options;
    options.streams_bidi_max = 1000;
    H3World world(loop, {}, options);
    int cancelled = 0;
    world.route("GET", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    co_await world.greet();
    std::vector<std::unique_ptr<BiStream>> streams;
    for (int i = 0; i < 300; ++i) {
        streams.push_back(co_await world.open(h3_head("GET", "/")));
    }
    co_await settle(loop);
    co_await world.finish();
    EXPECT_EQ(cancelled, 256);
}

ALKNET_CO_TEST(H3Limits, TimeOfTheHead) {
    H3World world(loop);
    co_await world.greet();
    const auto stream = co_await world.open(h3_head("GET", "/").substr(0, 5));
    const TimePoint began = loop.now();
    EXPECT_EQ((co_await H3World::answer(*stream)).reset_code, h3_code::kRequestCancelled);
    EXPECT_EQ(loop.now() - began, ConnectionLimits{}.header_timeout);
    co_await world.finish();
}

ALKNET_CO_TEST(H3Limits, TimeOfTheBody) {
    H3World world(loop);
    world.route("POST", "/", echo);
    co_await world.greet();
    const auto stream = co_await world.open(h3_head("POST", "/"));
    (void)co_await H3World::answer(*stream);
    co_await world.finish();
    EXPECT_THAT(world.served, ElementsAre("/ 408"));
}

ALKNET_CO_TEST(H3Limits, OctetsOfTheHead) {
    H3World world(loop);
    co_await world.greet();
    std::string more;
    for (int i = 0; i < 200; ++i) {
        more += h3_field("x", std::string(100, 'v'));
    }
    (void)co_await world.ask(h3_head("GET", "/", more));
    more.clear();
    for (int i = 0; i < 101; ++i) {
        more += h3_field("x", "y");
    }
    (void)co_await world.ask(h3_head("GET", "/", more));
    co_await world.finish();
    EXPECT_THAT(world.served, ElementsAre("/ 431", "/ 431"));
}

ALKNET_CO_TEST(H3Limits, OctetsOfTheBody) {
    Limits limits;
    limits.message.body_bytes_max = 1000;
    H3World world(loop, limits);
    world.route("POST", "/", echo);
    co_await world.greet();
    (void)co_await world.ask(h3_head("POST", "/") + h3_frame(kDataFrame, std::string(1001, 'x')));
    (void)co_await world.ask(h3_head("POST", "/", h3_field("content-length", "1001")) +
                             h3_frame(kDataFrame, std::string(1001, 'x')));
    co_await world.finish();
    EXPECT_THAT(world.served, ElementsAre("/ 413", "/ 413"));
}

ALKNET_CO_TEST(H3Limits, StreamsThatTheClientGrants) {
    MemoryConnectionOptions options;
    options.streams_uni_max = 2;
    H3World world(loop, {}, options);
    (void)co_await world.scope.join();
    EXPECT_TRUE(!world.outcome && world.outcome.error().is(errc::timeout));
}

// ---- floods: each ends the connection ----

/// The code with which the connection ends while `octets` keep coming.
task<std::uint64_t> flood(Loop& loop, bool request, std::string first, std::string more) {
    H3World world(loop);
    int cancelled = 0;
    world.route("POST", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    co_await world.greet();
    SendStream* to = world.others.back().get();
    std::unique_ptr<BiStream> stream;
    if (request) {
        stream = co_await world.open(std::move(first));
        to = stream.get();
    }
    for (int i = 0; i < 1000 && !world.pair.client->close_reason(); ++i) {
        if (!co_await to->write(as_bytes(more))) {
            break;
        }
    }
    const std::uint64_t code = co_await world.goodbye();
    (void)co_await world.scope.join();
    co_return code;
}

ALKNET_CO_TEST(H3Floods, UnknownFrames) {
    EXPECT_EQ(co_await flood(loop, false, "", h3_frame(0x21, std::string(1000, 'x'))),
              h3_code::kExcessiveLoad);
    EXPECT_EQ(co_await flood(loop, true, "", h3_frame(0x21, std::string(1000, 'x'))),
              h3_code::kExcessiveLoad);
}

ALKNET_CO_TEST(H3Floods, EmptyData) {
    std::string empty;
    for (int i = 0; i < 1000; ++i) {
        empty += h3_frame(kDataFrame, "");
    }
    EXPECT_EQ(co_await flood(loop, true, h3_head("POST", "/"), empty), h3_code::kExcessiveLoad);
}

ALKNET_CO_TEST(H3Floods, PriorityUpdates) {
    std::string updates;
    for (int i = 0; i < 100; ++i) {
        updates += h3_frame(0xf0700, std::string(1, '\0') + "u=1");
    }
    EXPECT_EQ(co_await flood(loop, false, "", updates), h3_code::kExcessiveLoad);
}

ALKNET_CO_TEST(H3Floods, RapidReset) {
    H3World world(loop);
    int cancelled = 0;
    world.route("GET", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    co_await world.greet();
    for (int i = 0; i < 2000 && !world.pair.client->close_reason(); ++i) {
        auto stream = co_await world.pair.client->open_bi();
        if (!stream) {
            break;
        }
        (void)co_await (*stream)->write(as_bytes(h3_head("GET", "/")));
        (*stream)->reset(h3_code::kRequestCancelled);
    }
    EXPECT_EQ(co_await world.goodbye(), h3_code::kExcessiveLoad);
    (void)co_await world.scope.join();
    EXPECT_LE(world.served.size(), ConnectionLimits{}.resets_burst + 300);
}

}  // namespace
}  // namespace alknet::http
