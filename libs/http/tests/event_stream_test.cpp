// Server-Sent Events: their octets, back-pressure, heartbeats and ends, on HTTP/1.1 and HTTP/3.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/http/event_stream.hpp>

#include "h3_world.hpp"

namespace alknet::http {
namespace {

using namespace test;
using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;

TEST(EventStream, Octets) {
    EXPECT_EQ(encode_event({.data = "a"}), "data: a\n\n");
    EXPECT_EQ(encode_event({.data = ""}), "data: \n\n");
    EXPECT_EQ(encode_event({.data = "a\nb\r\nc\rd", .id = "7", .name = "news"}),
              "event: news\nid: 7\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
    EXPECT_EQ(encode_event({.data = "a", .name = "gap", .forgets_id = true}),
              "event: gap\nid:\ndata: a\n\n");
    EXPECT_EQ(encode_event({.data = "a\n\ndata: b\n"}),
              "data: a\ndata: \ndata: data: b\ndata: \n\n");
    EXPECT_EQ(encode_event({.data = "x", .id = "1\nevent: y", .name = std::string("n\0m", 3)}),
              "event: n\nid: 1\ndata: x\n\n");
}

/// What a handler does, step by step, and what becomes of it.
struct Telling {
    Event go{};
    std::size_t sent = 0;
    std::size_t events = 0;  // 0: until it is cancelled
    std::size_t event_bytes = 1;
    bool cancelled = false;
    bool fails = false;
    std::string last{};
};

task<result<void>> tell(Telling& telling, EventStream& events, Request& request) {
    telling.last = last_event_id(request.head).value_or("");
    for (;;) {
        const auto went = co_await telling.go.wait();
        telling.cancelled = !went;
        ALKNET_CO_CHECK(went);
        const auto sent = co_await events.send(
            {.data = std::string(telling.event_bytes, 'x'), .id = std::to_string(telling.sent)});
        telling.cancelled = !sent;
        ALKNET_CO_CHECK(sent);
        if (++telling.sent == telling.events) {
            co_return telling.fails ? fail(causes::kInternal) : result<void>();
        }
    }
}

task<result<Response>> serve(Telling& telling, Request& request) {
    co_return event_stream(request, {.serve = [&telling](EventStream& events, Request& its) {
                               return tell(telling, events, its);
                           }});
}

Handler handler(Telling& telling) {
    return [&telling](Request& request) { return serve(telling, request); };
}

constexpr std::string_view kAsk = "GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 41\r\n\r\n";

ALKNET_CO_TEST(EventStream, ComesAsItHappens) {
    Telling telling{.events = 2};
    World world(loop);
    world.route("GET", "/", handler(telling));
    world.start();
    co_await world.send(std::string(kAsk));
    const std::string head = co_await world.receive("retry: 3000\n\n\r\n");
    EXPECT_THAT(head, HasSubstr("content-type: text/event-stream; charset=utf-8\r\n"));
    EXPECT_THAT(head, HasSubstr("cache-control: no-store\r\n"));
    telling.go.set();
    EXPECT_THAT(co_await world.receive("0\r\n\r\n"), HasSubstr("id: 1\ndata: x\n\n"));
    EXPECT_EQ(telling.last, "41");
    co_await world.finish();
}

ALKNET_CO_TEST(EventStream, SilenceIsFilled) {
    Telling telling;
    World world(loop);
    world.route("GET", "/", handler(telling));
    world.start();
    co_await world.send(std::string(kAsk));
    (void)co_await world.receive("retry: 3000\n\n\r\n");
    const TimePoint began = loop.now();
    (void)co_await world.receive(":\n\n\r\n");
    (void)co_await world.receive(":\n\n\r\n");
    EXPECT_EQ(loop.now() - began, seconds(30));
    world.client->reset(1);
    (void)co_await world.scope.join();
    EXPECT_TRUE(telling.cancelled);
}

ALKNET_CO_TEST(EventStream, IsMadeNoFasterThanItIsTaken) {
    Telling telling{.event_bytes = 1000};
    World world(loop, {}, {.buffer_bytes = 5000});
    world.route("GET", "/", handler(telling));
    world.start();
    telling.go.set();
    co_await world.send(std::string(kAsk));
    co_await loop.sleep(seconds(1));
    const std::size_t before = telling.sent;
    EXPECT_LE(before, 8U);
    std::array<std::byte, 3000> piece{};
    EXPECT_TRUE(co_await world.client->read(piece));
    co_await loop.sleep(seconds(1));
    EXPECT_GT(telling.sent, before);
    // Who takes nothing is given up.
    co_await loop.sleep(ConnectionLimits{}.send_timeout);
    (void)co_await world.scope.join();
    EXPECT_TRUE(telling.cancelled);
}

ALKNET_CO_TEST(EventStream, AFailureBreaksIt) {
    Telling telling{.events = 1, .fails = true};
    World world(loop);
    world.route("GET", "/", handler(telling));
    world.start();
    telling.go.set();
    co_await world.send(std::string(kAsk));
    const std::string all = co_await world.receive_all();
    EXPECT_THAT(all, testing::Not(EndsWith("0\r\n\r\n")));
    EXPECT_FALSE(world.closed);
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(EventStream, OverHttp3) {
    Telling telling{.events = 3};
    H3World world(loop);
    world.route("GET", "/", handler(telling));
    co_await world.greet();
    telling.go.set();
    const H3Answer answer = co_await world.ask(h3_head("GET", "/"));
    EXPECT_TRUE(answer.ended);
    EXPECT_THAT(answer.content, EndsWith("id: 1\ndata: x\n\nid: 2\ndata: x\n\n"));
    // A client that takes it back ends it.
    telling.sent = 0;
    telling.events = 0;
    telling.go.clear();
    const auto stream = co_await world.open(h3_head("GET", "/"));
    EXPECT_TRUE(co_await stream->finish());
    co_await loop.sleep(seconds(1));
    stream->stop(h3_code::kRequestCancelled);
    co_await loop.sleep(seconds(1));
    EXPECT_TRUE(telling.cancelled);
    co_await world.finish();
}

}  // namespace
}  // namespace alknet::http
