// Limits that HTTP/2 and HTTP/3 share, and those of HTTP/3 that its other tests leave.
#include <gmock/gmock.h>

#include "body_rate.hpp"
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
