// H1Connection: requests in, responses out, and every way in which either end can stop.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>

#include "h1_world.hpp"

namespace alknet::http {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr const char* kLastGet = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Octets that come one piece at a time, for ever or so many times.
class Ticks final : public BodySource {
public:
    Ticks(Loop& loop, Duration pause, std::size_t count, bool fails = false)
        : loop_(loop), pause_(pause), left_(count), fails_(fails) {}
    task<result<std::size_t>> read(MutableBytes into) override {
        if (left_ == 0) {
            if (fails_) {
                co_return fail(causes::kIo, "as told");
            }
            co_return 0U;
        }
        --left_;
        ALKNET_CO_CHECK(co_await loop_.sleep(pause_));
        std::copy_n(as_bytes("tick").begin(), 4, into.begin());
        co_return 4U;
    }

private:
    Loop& loop_;
    Duration pause_;
    std::size_t left_;
    bool fails_;
};

task<result<Response>> tick(Loop& loop, std::size_t count, bool fails = false,
                            std::optional<std::uint64_t> size = {}) {
    Response response;
    response.source = std::make_unique<Ticks>(loop, seconds(1), count, fails);
    response.source_size = size;
    co_return response;
}

ALKNET_CO_TEST(H1, AnswersAndKeepsTheConnection) {
    World world(loop);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    world.start();
    co_await world.send(kGet);
    EXPECT_EQ(co_await world.receive("hello"),
              "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n"
              "x-content-type-options: nosniff\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
              "content-length: 5\r\n\r\nhello");
    co_await world.send(kGet);
    EXPECT_THAT(co_await world.receive("hello"), StartsWith("HTTP/1.1 200 OK\r\n"));
    co_await world.finish();
    EXPECT_EQ(co_await world.receive_all(), "");
    EXPECT_TRUE(world.closed);
    EXPECT_TRUE(world.outcome);
    EXPECT_THAT(world.served, ElementsAre("GET / 200", "GET / 200"));
}

ALKNET_CO_TEST(H1, ClosesWhenItIsAskedTo) {
    World world(loop);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    world.start();
    co_await world.send(kLastGet);
    const std::string answer = co_await world.receive_all();
    EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
    EXPECT_TRUE(world.closed);
}

ALKNET_CO_TEST(H1, AnswersWhatWasSentAtOnceInItsOrder) {
    World world(loop);
    world.route("GET", "/{name}", [](Request& request) { return say(request.parameters["name"]); });
    world.route("POST", "/", echo);
    world.start();
    co_await world.send(
        "GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo"
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nth\r\n3\r\nree\r\n"
        "0\r\n\r\nGET /four HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string all = co_await world.receive_all();
    std::size_t at = 0;
    for (const char* const body : {"\r\n\r\none", "\r\n\r\ntwo", "\r\n\r\nthree", "\r\n\r\nfour"}) {
        at = all.find(body, at);
        EXPECT_NE(at, std::string::npos) << body;
    }
}

ALKNET_CO_TEST(H1, HeadHasNoContent) {
    World world(loop);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    world.start();
    co_await world.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string answer = co_await world.receive_all();
    EXPECT_THAT(answer, HasSubstr("content-length: 5\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

ALKNET_CO_TEST(H1, ASourceWithoutALengthComesInChunks) {
    World world(loop);
    world.route("GET", "/", [&loop](Request&) { return tick(loop, 2); });
    world.start();
    co_await world.send(kLastGet);
    EXPECT_THAT(co_await world.receive_all(),
                EndsWith("\r\n\r\n4\r\ntick\r\n4\r\ntick\r\n0\r\n\r\n"));
}

ALKNET_CO_TEST(H1, OnHttp10ItEndsTheConnection) {
    World world(loop);
    world.route("GET", "/", [&loop](Request&) { return tick(loop, 2); });
    world.start();
    co_await world.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string answer = co_await world.receive_all();
    EXPECT_THAT(answer, HasSubstr("connection: close\r\n\r\nticktick"));
    EXPECT_TRUE(world.closed);
}

ALKNET_CO_TEST(H1, ASourceThatFailsDoesNotLookLikeAWholeOne) {
    World world(loop);
    world.route("GET", "/", [&loop](Request&) { return tick(loop, 1, true); });
    world.route("GET", "/short", [&loop](Request&) { return tick(loop, 1, false, 100); });
    world.start();
    co_await world.send(kGet);
    const std::string answer = co_await world.receive_all();
    EXPECT_THAT(answer, testing::Not(HasSubstr("0\r\n\r\n")));
    EXPECT_FALSE(world.closed);
    World second(loop);
    second.route("GET", "/short", [&loop](Request&) { return tick(loop, 1, false, 100); });
    second.start();
    co_await second.send("GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)co_await second.receive_all();
    EXPECT_FALSE(second.closed);
}

ALKNET_CO_TEST(H1, ContinueIsSaidWhenTheBodyIsWanted) {
    World world(loop);
    world.route("POST", "/", echo);
    world.start();
    co_await world.send(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_EQ(co_await world.receive("\r\n\r\n"), kContinue);
    co_await world.send("hi");
    EXPECT_THAT(co_await world.receive("\r\n\r\nhi"), StartsWith("HTTP/1.1 200 OK"));
    co_await world.finish();
}

ALKNET_CO_TEST(H1, ContinueAndAnEarlyAnswerAreWrittenOneAfterTheOther) {
    World world(loop, {}, {.buffer_bytes = 4});
    std::optional<TaskScope> reading;
    world.route("POST", "/",
                [&](Request& request) { return answer_while_reading(request, reading); });
    world.start();
    co_await world.send(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    co_await loop.sleep(std::chrono::seconds(1));
    EXPECT_EQ(co_await world.receive("\r\n\r\n"), kContinue);
    const std::string answer = co_await world.receive(std::string(100, 'x'));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
    co_await world.finish();
}

// What is left of it would pass for the beginning of the answer.
ALKNET_CO_TEST(H1, AContinueThatWasCutIsTheEnd) {
    World world(loop, {}, {.buffer_bytes = 4});
    std::optional<TaskScope> reading;
    world.route("POST", "/", [&](Request& request) -> task<result<Response>> {
        auto response = answer_while_reading(request, reading);
        return cut_reading(std::move(response), reading);
    });
    world.start();
    co_await world.send(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    (void)co_await world.scope.join();
    EXPECT_FALSE(world.outcome);
    world.connection.reset();
    world.server.reset();
    EXPECT_THAT(co_await world.receive_all(), testing::Not(HasSubstr("200")));
}

ALKNET_CO_TEST(H1, ContinueIsNotSaidWhenItIsNot) {
    World world(loop);
    world.route("POST", "/", [](Request&) { return say("no"); });
    world.start();
    co_await world.send(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    const std::string answer = co_await world.receive_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
    EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
}

ALKNET_CO_TEST(H1, ABodyThatNobodyReadsIsPassedOver) {
    World world(loop);
    world.route("POST", "/", [](Request&) { return say("no"); });
    world.start();
    co_await world.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" +
                        std::string(40000, 'x') + kLastGet);
    const std::string answers = co_await world.receive_all();
    EXPECT_THAT(answers, HasSubstr("\r\n\r\nnoHTTP/1.1 405"));
}

ALKNET_CO_TEST(H1, OneThatIsTooLargeForThatEndsTheConnection) {
    World world(loop);
    world.route("POST", "/", [](Request&) { return say("no"); });
    world.start();
    co_await world.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " +
                        std::to_string(kUnreadBytesMax + 1) + "\r\n\r\n");
    EXPECT_THAT(co_await world.receive_all(), HasSubstr("connection: close"));
}

constexpr std::size_t kLarge = 9'000'000;

std::string large_post() {
    return fmt::format("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", kLarge);
}

// All of it but the last byte.
std::string most_of_its_body() {
    std::string body;
    body.resize(kLarge - 1, 'x');
    return body;
}

// What it still sends would otherwise make the kernel take the answer back.
ALKNET_CO_TEST(H1, AClientThatIsAnsweredEarlyMaySendItsRest) {
    World world(loop);
    world.start();
    co_await world.send(large_post());
    EXPECT_THAT(co_await world.receive_all(), HasSubstr("404 Not Found"));
    EXPECT_TRUE(world.closed);
    co_await world.send(most_of_its_body());
    const TimePoint sent = loop.now();
    co_await world.finish();
    EXPECT_EQ(loop.now(), sent) << "all has been read";
}

ALKNET_CO_TEST(H1, AClientThatIsAnsweredEarlyAndPausesIsLeft) {
    World world(loop);
    world.start();
    co_await world.send(large_post());
    EXPECT_THAT(co_await world.receive_all(), HasSubstr("404 Not Found"));
    const TimePoint began = loop.now();
    (void)co_await world.scope.join();
    EXPECT_EQ(loop.now() - began, kLingerPause);
}

ALKNET_CO_TEST(H1, AClientThatIsAnsweredEarlyAndNeverEndsIsLeft) {
    World world(loop);
    world.start();
    co_await world.send("wrong\r\n");
    EXPECT_THAT(co_await world.receive_all(), HasSubstr("400 Bad Request"));
    const TimePoint began = loop.now();
    while (world.scope.size() > 0) {
        co_await world.send("x");
        co_await loop.sleep(seconds(2));
    }
    EXPECT_GE(loop.now() - began, kLingerTime);
    EXPECT_LE(loop.now() - began, kLingerTime + seconds(4));
    world.scope.cancel();
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(H1, WhatIsRefusedIsAnsweredAndEndsTheConnection) {
    World world(loop);
    world.start();
    co_await world.send(std::string("GET / HTTP/1.1\nHost: a\r\n\r\n") + kGet);
    const std::string answer = co_await world.receive_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_THAT(answer, HasSubstr("a line ends in a bare LF.\n"));
    EXPECT_TRUE(world.closed);
    EXPECT_EQ(world.served.size(), 1U);
}

ALKNET_CO_TEST(H1, ABodyThatBreaksTheRulesIsSaidToTheClient) {
    World world(loop);
    world.route("POST", "/", echo);
    world.start();
    co_await world.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
    EXPECT_THAT(co_await world.receive_all(), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(world.served, ElementsAre("POST / 400"));
}

ALKNET_CO_TEST(H1, FailuresOfHandlersArePages) {
    World world(loop);
    world.route("GET", "/forbidden", [](Request&) -> task<result<Response>> {
        co_return fail(causes::kForbidden, "secret detail");
    });
    world.route("GET", "/internal", [](Request&) -> task<result<Response>> {
        co_return fail(causes::kIo, "secret detail");
    });
    world.start();
    co_await world.send("GET /forbidden HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n");
    const std::string page = co_await world.receive("</html>\n");
    EXPECT_THAT(page, StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(page, testing::Not(HasSubstr("secret")));
    co_await world.send("GET /internal HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string other = co_await world.receive_all();
    EXPECT_THAT(other, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(other, testing::Not(HasSubstr("secret")));
}

// ---- clients that go ----

task<result<Response>> wait_for_ever(bool& cancelled) {
    Event never;
    const auto waited = co_await never.wait();
    cancelled = !waited;
    co_return unexpected(waited.error());
}

ALKNET_CO_TEST(H1, AHandlerIsCancelledWhenTheClientGoes) {
    World world(loop);
    bool cancelled = false;
    world.route("GET", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    world.start();
    co_await world.send(kGet);
    co_await loop.sleep(seconds(1));
    EXPECT_FALSE(cancelled);
    world.client->reset(0);
    world.client->stop(0);
    (void)co_await world.scope.join();
    EXPECT_TRUE(cancelled);
    EXPECT_FALSE(world.outcome);
}

ALKNET_CO_TEST(H1, OneThatHasFinishedStillGetsItsAnswer) {
    World world(loop);
    world.route("GET", "/", [&loop](Request&) { return tick(loop, 3); });
    world.start();
    co_await world.send(kGet);
    EXPECT_TRUE(co_await world.client->finish());
    EXPECT_THAT(co_await world.receive_all(), EndsWith("0\r\n\r\n"));
    EXPECT_TRUE(world.closed);
}

ALKNET_CO_TEST(H1, ABodyThatEndsTooSoon) {
    World world(loop);
    world.route("POST", "/", echo);
    world.start();
    co_await world.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    EXPECT_TRUE(co_await world.client->finish());
    EXPECT_THAT(co_await world.receive_all(), StartsWith("HTTP/1.1 400 "));
}

// ---- time ----

ALKNET_CO_TEST(H1, AConnectionWithoutRequestsEnds) {
    World world(loop);
    world.start();
    const TimePoint began = loop.now();
    EXPECT_EQ(co_await world.receive_all(), "");
    EXPECT_EQ(loop.now() - began, ConnectionLimits{}.keep_alive_timeout);
    EXPECT_TRUE(world.closed);
}

ALKNET_CO_TEST(H1, AHeadThatDripsIsGivenUp) {
    World world(loop);
    world.start();
    const TimePoint began = loop.now();
    std::string answer;
    for (const char c : std::string("GET / HTTP/1.1\r\nHost: a")) {
        co_await world.send(std::string(1, c));
        co_await loop.sleep(milliseconds(400));
    }
    EXPECT_LT(loop.now() - began, ConnectionLimits{}.header_timeout);
    answer = co_await world.receive_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
    EXPECT_EQ(loop.now() - began, ConnectionLimits{}.header_timeout);
}

ALKNET_CO_TEST(H1, ABodyThatStopsIsGivenUp) {
    World world(loop);
    world.route("POST", "/", echo);
    world.start();
    co_await world.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    const TimePoint began = loop.now();
    EXPECT_THAT(co_await world.receive_all(), StartsWith("HTTP/1.1 408 "));
    EXPECT_EQ(loop.now() - began, ConnectionLimits{}.body_timeout);
}

task<void> drip(World& world, Loop& loop, std::size_t size) {
    for (;;) {
        if (!co_await world.client->write(as_bytes(std::string(size, 'x'))) ||
            !co_await loop.sleep(seconds(1))) {
            co_return;
        }
    }
}

ALKNET_CO_TEST(H1, ABodyThatIsTooSlowIsGivenUp) {
    World world(loop);
    world.route("POST", "/", echo);
    world.start();
    co_await world.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    TaskScope dripping(loop);
    dripping.spawn(drip(world, loop, 100), "drip");
    const TimePoint began = loop.now();
    EXPECT_THAT(co_await world.receive_all(), StartsWith("HTTP/1.1 408 "));
    EXPECT_LE(loop.now() - began, kRateGrace + seconds(2));
    dripping.cancel();
    (void)co_await dripping.join();
}

ALKNET_CO_TEST(H1, OneThatIsJustFastEnoughIsNot) {
    World world(loop);
    world.route("POST", "/", echo);
    world.start();
    co_await world.send(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 30000\r\n\r\n");
    TaskScope dripping(loop);
    dripping.spawn(drip(world, loop, 600), "drip");
    EXPECT_THAT(co_await world.receive_all(), StartsWith("HTTP/1.1 200 "));
    dripping.cancel();
    (void)co_await dripping.join();
}

ALKNET_CO_TEST(H1, AClientThatTakesNothingIsGivenUp) {
    World world(loop);
    world.route("GET", "/", [](Request&) { return say(std::string(1 << 20, 'x')); });
    world.start();
    const TimePoint began = loop.now();
    co_await world.send(kGet);
    (void)co_await world.scope.idle();
    EXPECT_TRUE(world.outcome.error().is(errc::timeout));
    EXPECT_EQ(loop.now() - began, ConnectionLimits{}.send_timeout);
}

// ---- limits ----

ALKNET_CO_TEST(H1, RequestsOfOneConnection) {
    Limits limits;
    limits.connection.requests_max = 3;
    World world(loop, limits);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    world.start();
    co_await world.send(std::string(kGet) + kGet + kGet + kGet);
    EXPECT_THAT(co_await world.receive_all(), HasSubstr("connection: close"));
    EXPECT_EQ(world.served.size(), 3U);
}

ALKNET_CO_TEST(H1, PipelinedRequestsWaitInTheTransport) {
    World world(loop, {}, {.buffer_bytes = 1024});
    bool cancelled = false;
    world.route("GET", "/", [&cancelled](Request&) { return wait_for_ever(cancelled); });
    world.start();
    std::string flood;
    while (flood.size() < 10 * kPieceBytes) {
        flood += kGet;
    }
    const auto sent = co_await with_timeout(seconds(60), world.client->write(as_bytes(flood)));
    EXPECT_TRUE(sent.error().is(errc::timeout)) << "it has not been taken";
    world.scope.cancel();
    (void)co_await world.scope.join();
}

// ---- shutting down ----

ALKNET_CO_TEST(H1, AnIdleConnectionDrainsAtOnce) {
    World world(loop);
    world.route("GET", "/", [](Request&) { return say("hello"); });
    world.start();
    co_await world.send(kGet);
    (void)co_await world.receive("hello");
    const TimePoint began = loop.now();
    world.connection->drain();
    EXPECT_EQ(co_await world.receive_all(), "");
    EXPECT_EQ(loop.now(), began);
    EXPECT_TRUE(world.outcome);
}

ALKNET_CO_TEST(H1, ABusyOneFinishesItsRequest) {
    World world(loop);
    world.route("GET", "/", [&loop](Request&) { return tick(loop, 3); });
    world.start();
    co_await world.send(kGet);
    co_await loop.sleep(milliseconds(100));
    world.connection->drain();
    EXPECT_THAT(co_await world.receive_all(), EndsWith("0\r\n\r\n"));
    EXPECT_TRUE(world.closed);
    EXPECT_TRUE(world.outcome);
}

}  // namespace
}  // namespace alknet::http
