// http.limits.body_rate_min on HTTP/3; on the other versions it stands in their tests.
#include "body_rate.hpp"

#include <gmock/gmock.h>

#include "h3_world.hpp"

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

}  // namespace
}  // namespace alknet::http
