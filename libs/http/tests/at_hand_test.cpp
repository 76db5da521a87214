// Contents that are there at once leave with their heads, and their last octets with the end.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>

#include "h2_world.hpp"
#include "h3_world.hpp"

namespace alknet::http {
namespace {

using namespace test;
using testing::EndsWith;

/// So many octets; of a broken one only the first half can be read.
class AtHand final : public BodySource {
public:
    AtHand(std::size_t size, bool broken) : left_(size), good_(broken ? size / 2 : size) {}
    task<result<std::size_t>> read(MutableBytes into) override {
        if (left_ > 0 && good_ == 0) {
            co_return fail(causes::kIo);
        }
        const std::size_t count = std::min({into.size(), left_, good_});
        std::fill_n(into.begin(), count, std::byte('x'));
        left_ -= count;
        good_ -= count;
        co_return count;
    }
    [[nodiscard]] bool is_at_hand() const noexcept override { return true; }

private:
    std::size_t left_;
    std::size_t good_;
};

task<result<Response>> give(std::size_t size, bool sized, bool broken = false) {
    Response response;
    response.source = std::make_unique<AtHand>(size, broken);
    response.source_size = sized ? std::optional<std::uint64_t>(size) : std::nullopt;
    co_return response;
}

constexpr std::array<std::size_t, 6> kSizes = {1, 100, 16'000, 16'384, 16'385, 50'000};

ALKNET_CO_TEST(HttpAtHand, OfEverySizeOverHttp1) {
    World world(loop);
    std::size_t size = 0;
    world.route("GET", "/sized", [&size](Request&) { return give(size, true); });
    world.route("GET", "/", [&size](Request&) { return give(size, false); });
    world.start();
    for (const std::size_t one : kSizes) {
        size = one;
        co_await world.send("GET /sized HTTP/1.1\r\nHost: a\r\n\r\n");
        std::string answer =
            co_await world.receive(std::string(std::min<std::size_t>(one, 50), 'x'));
        while (!answer.ends_with("\r\n\r\n" + std::string(one, 'x')) && !world.closed) {
            answer += co_await world.receive("x");
        }
        EXPECT_THAT(answer, EndsWith("\r\n\r\n" + std::string(one, 'x')));
        co_await world.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        const std::string chunked = co_await world.receive("x\r\n0\r\n\r\n");
        EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(chunked, 'x')), one);
    }
    co_await world.finish();
}

ALKNET_CO_TEST(HttpAtHand, WhatBreaksOffDoesNotLookWhole) {
    World world(loop);
    world.route("GET", "/", [](Request&) { return give(1, true, true); });
    world.start();
    co_await world.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(co_await world.receive_all(), "");
    EXPECT_FALSE(world.closed) << "a reset";
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(HttpAtHand, TheLastOctetsEndTheStreamOfHttp2) {
    H2World world(loop);
    world.route("GET", "/", [](Request&) { return give(100, true); });
    world.route("GET", "/large", [](Request&) { return give(50'000, true); });
    co_await world.send(preface() + get(1));
    const Frame data = co_await world.next(kData);
    EXPECT_EQ(data.payload.size(), 100U);
    EXPECT_EQ(data.flags, kEndStream);
    co_await world.send(get(3, "/large"));
    std::size_t received = 0;
    std::uint8_t flags = 0;
    while (flags == 0) {
        const Frame piece = co_await world.next(kData);
        received += piece.payload.size();
        flags = piece.flags;
    }
    EXPECT_EQ(received, 50'000U);
    EXPECT_TRUE(co_await world.client->finish());
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.outcome);
}

ALKNET_CO_TEST(HttpAtHand, OfEverySizeOverHttp3) {
    H3World world(loop);
    std::size_t size = 0;
    bool broken = false;
    world.route("GET", "/", [&](Request&) { return give(size, true, broken); });
    co_await world.greet();
    for (const std::size_t one : kSizes) {
        size = one;
        const H3Answer answer = co_await world.ask(h3_head("GET", "/"));
        EXPECT_EQ(answer.content, std::string(one, 'x'));
        EXPECT_TRUE(answer.ended);
    }
    broken = true;
    EXPECT_EQ((co_await world.ask(h3_head("GET", "/"))).reset_code, h3_code::kInternalError);
    co_await world.finish();
}

}  // namespace
}  // namespace alknet::http
