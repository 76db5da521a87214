// Limits that HTTP/2 and HTTP/3 share, and those of HTTP/3 that its other tests leave.
#include <gmock/gmock.h>

#include "body_rate.hpp"
#include "h2_world.hpp"
#include "h3_world.hpp"
#include "head_builder.hpp"

namespace alknet::http {
namespace {

using namespace test;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

// One that is too slow is the end of its stream, and of nothing else.
ALKNET_CO_TEST(H3Limits, OctetsOfTheBodyEachSecond) {
    H3World world(loop);
    world.route("POST", "/", echo);
    world.route("GET", "/", [](Request&) { return say("there"); });
    co_await world.greet();
    const auto slow = co_await world.open(h3_head("POST", "/"));
    for (int i = 0; i < 12; ++i) {
        (void)co_await slow->write(as_bytes(h3_frame(kDataFrame, std::string(100, 'x'))));
        co_await loop.sleep(seconds(1));
    }
    EXPECT_THAT((co_await H3World::answer(*slow)).content, HasSubstr("http.limits.body_rate_min"));
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).content, "there");
    const auto steady = co_await world.open(h3_head("POST", "/"));
    for (int i = 0; i < 20; ++i) {
        (void)co_await steady->write(as_bytes(h3_frame(kDataFrame, std::string(600, 'x'))));
        co_await loop.sleep(seconds(1));
    }
    EXPECT_TRUE(co_await steady->finish());
    EXPECT_EQ((co_await H3World::answer(*steady)).content.size(), 12'000U);
    co_await world.finish();
    EXPECT_THAT(world.served, ElementsAre("/ 408", "/ 200", "/ 200"));
}

TEST(BodyRate, CountsTheTimeOfWaitingAlone) {
    const ConnectionLimits limits;
    EXPECT_FALSE((BodyRate{.waited = kRateGrace, .received = 0}).too_slow(limits));
    EXPECT_TRUE((BodyRate{.waited = seconds(11), .received = 11 * 500 - 1}).too_slow(limits));
    EXPECT_FALSE((BodyRate{.waited = seconds(11), .received = 11 * 500}).too_slow(limits));
}

// Once in the table, and then thousands of times by one octet.
ALKNET_CO_TEST(H3Limits, AHeadThatUnpacksToMuchMore) {
    H3World world(loop);
    co_await world.greet();
    // The encoder's stream: a capacity of 4096, and a field of nearly as many octets.
    co_await world.send_other("\2\x3f\xe1\x1f\x41x\x7f\x81\x1e" + std::string(3968, 'v'));
    const std::string section = std::string("\2\0", 2) + h3_field(":method", "GET") + "\xd7" +
                                h3_field(":authority", "a") + h3_field(":path", "/") +
                                std::string(2000, '\x80');
    EXPECT_TRUE((co_await world.ask(h3_frame(kHeadersFrame, section))).ended);
    co_await world.finish();
    EXPECT_THAT(world.served, ElementsAre("/ 431"));
}

// ---- what a client may have at a time, and take back, as it is configured ----

Limits streams_of(std::uint32_t at_a_time, std::uint64_t resets) {
    Limits limits;
    limits.connection.streams_max = at_a_time;
    limits.connection.resets_burst = resets;
    limits.connection.resets_per_second = 1;
    return limits;
}

task<result<Response>> wait_for_ever() {
    Event never;
    ALKNET_CO_CHECK(co_await never.wait());
    co_return text_response(200, "never");
}

ALKNET_CO_TEST(H2Limits, RequestsAtATimeAsConfigured) {
    H2World world(loop, streams_of(2, 500));
    world.route("GET", "/", [](Request&) { return wait_for_ever(); });
    co_await world.send(preface() + get(1) + get(3) + get(5));
    EXPECT_EQ((co_await world.next(kReset)).stream, 5U);
    EXPECT_TRUE(co_await world.client->finish());
    world.scope.cancel();
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H2Limits, RequestsThatAreTakenBackAsConfigured) {
    H2World world(loop, streams_of(100, 3));
    world.route("GET", "/", [](Request&) { return wait_for_ever(); });
    std::string octets = preface();
    for (std::uint32_t i = 0; i < 10; ++i) {
        octets += get(1 + 2 * i) + frame(kReset, 0, 1 + 2 * i, std::string("\0\0\0\x08", 4));
    }
    co_await world.send(octets);
    EXPECT_NE(co_await world.goodbye(), 0U);
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H3Limits, RequestsAtATimeAsConfigured) {
    MemoryConnectionOptions options;
    options.streams_bidi_max = 100;
    H3World world(loop, streams_of(2, 500), options);
    int running = 0;
    world.route("GET", "/", [&running](Request&) {
        ++running;
        return wait_for_ever();
    });
    co_await world.greet();
    std::vector<std::unique_ptr<BiStream>> streams;
    for (int i = 0; i < 5; ++i) {
        streams.push_back(co_await world.open(h3_head("GET", "/")));
    }
    co_await loop.sleep(seconds(1));
    EXPECT_EQ(running, 2);
    co_await world.finish();
}

ALKNET_CO_TEST(H3Limits, RequestsThatAreTakenBackAsConfigured) {
    H3World world(loop, streams_of(100, 3));
    world.route("GET", "/", [](Request&) { return wait_for_ever(); });
    co_await world.greet();
    for (int i = 0; i < 10 && !world.pair.client->close_reason(); ++i) {
        auto stream = co_await world.pair.client->open_bi();
        if (!stream) {
            break;
        }
        (void)co_await (*stream)->write(as_bytes(h3_head("GET", "/")));
        (*stream)->reset(h3_code::kRequestCancelled);
        co_await loop.sleep(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(co_await world.goodbye(), h3_code::kExcessiveLoad);
    (void)co_await world.scope.join();
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Of a head with these besides.
int status_of(const Pairs& more) {
    const MessageLimits limits{
        .header_bytes_max = 400, .fields_max = 4, .target_bytes_max = 20, .body_bytes_max = 100};
    HeadBuilder builder(limits, Version::http2);
    for (const auto& [name, value] : Pairs{{":method", "POST"}, {":authority", "a"}}) {
        builder.take(name, value);
    }
    for (const auto& [name, value] : more) {
        builder.take(name, value);
    }
    (void)builder.finish(true);
    return builder.refusal() == nullptr ? 200 : builder.refusal()->status;
}

TEST(HeadLimits, OfHttp2AndHttp3) {
    const std::pair<std::string, std::string> root(":path", "/");
    EXPECT_EQ(status_of({root}), 200);
    EXPECT_EQ(status_of({{":path", "/" + std::string(19, 'a')}}), 200);
    EXPECT_EQ(status_of({{":path", "/" + std::string(20, 'a')}}), 414);
    EXPECT_EQ(status_of({{":path", "/?" + std::string(19, 'a')}}), 414) << "with its query";
    EXPECT_EQ(status_of({root, {"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}}), 200);
    EXPECT_EQ(status_of({root, {"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}, {"e", ""}}), 431);
    EXPECT_EQ(status_of({root, {"a", std::string(200, 'x')}}), 200);
    EXPECT_EQ(status_of({root, {"a", std::string(400, 'x')}}), 431);
    EXPECT_EQ(status_of({root, {"content-length", "100"}}), 200);
    EXPECT_EQ(status_of({root, {"content-length", "101"}}), 413);
    EXPECT_EQ(status_of({root, {"content-length", "99999999999999999999"}}), 413);
}

}  // namespace
}  // namespace alknet::http
