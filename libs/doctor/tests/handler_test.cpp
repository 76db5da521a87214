// The node's half on a connection in memory: who is served, and how much.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/memory_connection.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>

#include "frame_stream.hpp"

namespace alknet::doctor {
namespace {

using std::chrono::seconds;

AuthContext known_peer() {
    AuthContext auth;
    auth.identity = Identity{.id = "friend", .scopes = {}, .resources = {}};
    return auth;
}

/// A handler that serves one connection.
struct Served {
    Served(Loop& loop, DoctorHandlerOptions options, const AuthContext& auth = known_peer())
        : handler(std::move(options)), scope(loop) {
        scope.spawn(serve(auth), "serve");
    }
    task<void> serve(AuthContext auth) {
        outcome = co_await handler.handle(pair.server, std::move(auth));
        pair.server->close(0, {});
    }

    MemoryConnectionPair pair = make_memory_connection_pair({});
    DoctorHandler handler;
    std::optional<result<void>> outcome;
    TaskScope scope;
};

task<result<void>> send(BiStream& stream, FrameType type, Bytes body) {
    co_return co_await write_frame(stream, encode_frame(type, body));
}

ALKNET_CO_TEST(Handler, StrangersAreRefused) {
    Served served(loop, {}, AuthContext());
    (void)co_await served.scope.join();
    ALKNET_CO_ASSERT(served.outcome && !*served.outcome);
    EXPECT_TRUE(served.outcome->error().is(causes::kAuthRequired));
}

ALKNET_CO_TEST(Handler, AnswersEachQuestion) {
    DoctorHandlerOptions options;
    options.program = "test";
    options.beginnings = [](const SocketAddress&) { return std::uint64_t{7}; };
    options.checks = [] {
        return std::vector<Check>{{.group = "g",
                                   .name = "n",
                                   .status = Status::fail,
                                   .value = "inside",
                                   .consequence = "c",
                                   .next = "x"}};
    };
    Served served(loop, options);
    const auto opened = co_await served.pair.client->open_bi();
    ALKNET_CO_ASSERT_OK(opened);
    BiStream& stream = **opened;
    FrameReader reader;
    EXPECT_TRUE(served.pair.client->send_datagram(Bytes(5)));
    EXPECT_TRUE(co_await served.pair.client->recv_datagram());
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::look, {}));
    const auto look = co_await read_expected(reader, stream, FrameType::seen);
    ALKNET_CO_ASSERT_OK(look);
    const auto seen = decode_seen(look->body);
    ALKNET_CO_ASSERT_OK(seen);
    EXPECT_EQ(seen->datagrams, 1U);
    EXPECT_EQ(seen->beginnings, 7U);
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::data, Bytes(1000)));
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::data, Bytes(500)));
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::end, {}));
    const auto counted = co_await read_expected(reader, stream, FrameType::end);
    ALKNET_CO_ASSERT_OK(counted);
    EXPECT_EQ(decode_counted(counted->body)->bytes, 1500U);
    const Bytes report = encode_report({});
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::report, report));
    const auto answer = co_await read_expected(reader, stream, FrameType::report);
    ALKNET_CO_ASSERT_OK(answer);
    const auto theirs = decode_report(answer->body);
    ALKNET_CO_ASSERT_OK(theirs);
    EXPECT_EQ(theirs->program, "test");
    EXPECT_EQ(theirs->checks.size(), 1U);
    EXPECT_EQ(theirs->checks[0].value, "");
    EXPECT_TRUE(co_await stream.finish());
    (void)co_await served.scope.join();
    EXPECT_TRUE(served.outcome && *served.outcome);
}

ALKNET_CO_TEST(Handler, SendsWhatIsAskedForAndNoMore) {
    Served served(loop, {});
    const auto opened = co_await served.pair.client->open_bi();
    ALKNET_CO_ASSERT_OK(opened);
    FrameReader reader;
    ALKNET_CO_ASSERT_OK(
        co_await write_frame(**opened, encode(Download{.bytes = 40'000, .milliseconds = 1000})));
    std::size_t bytes = 0;
    for (;;) {
        const auto frame = co_await read_frame(reader, **opened);
        ALKNET_CO_ASSERT(frame && *frame);
        if ((*frame)->type == FrameType::end) {
            EXPECT_EQ(decode_counted((*frame)->body)->bytes, 40'000U);
            break;
        }
        bytes += (*frame)->body.size();
    }
    EXPECT_EQ(bytes, 40'000U);
    EXPECT_TRUE(co_await (*opened)->finish());
    (void)co_await served.scope.join();
}

task<result<void>> order_too_much(BiStream& stream) {
    ALKNET_CO_CHECK(
        co_await write_frame(stream, encode(Download{.bytes = 5'000, .milliseconds = 1000})));
    co_return co_await stream.finish();
}
task<result<void>> send_too_much(BiStream& stream) {
    ALKNET_CO_CHECK(co_await send(stream, FrameType::data, Bytes(3'000)));
    ALKNET_CO_CHECK(co_await send(stream, FrameType::data, Bytes(3'000)));
    co_return co_await stream.finish();
}
task<result<void>> speak_like_a_node(BiStream& stream) {
    co_return co_await send(stream, FrameType::seen, {});
}
task<result<void>> end_in_the_middle(BiStream& stream) {
    ALKNET_CO_CHECK(co_await send(stream, FrameType::data, Bytes(30)));
    co_return co_await stream.finish();
}
task<result<void>> report_nonsense(BiStream& stream) {
    co_return co_await send(stream, FrameType::report, Bytes(3));
}

task<result<void>> look_again_and_again(BiStream& stream) {
    for (int i = 0; i < 4; ++i) {
        ALKNET_CO_CHECK(co_await send(stream, FrameType::look, {}));
    }
    co_return co_await stream.finish();
}
task<result<void>> order_again_and_again(BiStream& stream) {
    for (int i = 0; i < 4; ++i) {
        ALKNET_CO_CHECK(
            co_await write_frame(stream, encode(Download{.bytes = 1, .milliseconds = 1000})));
    }
    co_return co_await stream.finish();
}
task<result<void>> report_again_and_again(BiStream& stream) {
    const Bytes report = encode_report({});
    for (int i = 0; i < 4; ++i) {
        ALKNET_CO_CHECK(co_await send(stream, FrameType::report, report));
    }
    co_return co_await stream.finish();
}
task<result<void>> report_amid_data(BiStream& stream) {
    ALKNET_CO_CHECK(co_await send(stream, FrameType::data, Bytes(30)));
    ALKNET_CO_CHECK(co_await send(stream, FrameType::report, encode_report({})));
    co_return co_await stream.finish();
}

struct Offence {
    task<result<void>> (*commit)(BiStream& stream);
    const Cause& cause;
};

ALKNET_CO_TEST(Handler, OffencesAndLimitsEndIt) {
    for (const Offence& offence :
         {Offence{order_too_much, causes::kLimit}, Offence{send_too_much, causes::kLimit},
          Offence{speak_like_a_node, causes::kProtocol},
          Offence{end_in_the_middle, causes::kProtocol},
          Offence{report_nonsense, causes::kProtocol}, Offence{report_amid_data, causes::kProtocol},
          Offence{look_again_and_again, causes::kLimit},
          Offence{order_again_and_again, causes::kLimit},
          Offence{report_again_and_again, causes::kLimit}}) {
        DoctorHandlerOptions options;
        options.bytes_max = 4'000;
        options.looks_max = options.orders_max = options.reports_max = 3;
        Served served(loop, options);
        const auto opened = co_await served.pair.client->open_bi();
        ALKNET_CO_ASSERT_OK(opened);
        (void)co_await offence.commit(**opened);
        (void)co_await served.scope.join();
        ALKNET_CO_ASSERT(served.outcome && !*served.outcome);
        EXPECT_TRUE(served.outcome->error().is(offence.cause)) << served.outcome->error().message();
    }
}

ALKNET_CO_TEST(Handler, WhoSaysNothingIsServedForAWhile) {
    DoctorHandlerOptions options;
    options.duration_max = seconds(5);
    Served served(loop, options);
    const auto opened = co_await served.pair.client->open_bi();
    (void)co_await served.scope.join();
    ALKNET_CO_ASSERT(served.outcome && !*served.outcome);
    EXPECT_TRUE(served.outcome->error().is(causes::kLimit));
}

ALKNET_CO_TEST(Handler, WhoOrdersMuchAndReadsNothingCostsABufferForAWhile) {
    DoctorHandlerOptions options = bench_handler_options();
    options.duration_max = seconds(5);
    Served served(loop, options);
    const auto opened = co_await served.pair.client->open_bi();
    ALKNET_CO_ASSERT_OK(opened);
    ALKNET_CO_ASSERT_OK(co_await write_frame(
        **opened, encode(Download{.bytes = 64ULL << 30, .milliseconds = UINT32_MAX})));
    (void)co_await served.scope.join();
    ALKNET_CO_ASSERT(served.outcome && !*served.outcome);
    EXPECT_TRUE(served.outcome->error().is(causes::kLimit));
    EXPECT_LE(served.pair.server->stats().bytes_sent, 128U << 10);
}

ALKNET_CO_TEST(Handler, AmidDataOnlyOrdersAreExpected) {
    Served served(loop, {});
    const auto opened = co_await served.pair.client->open_bi();
    ALKNET_CO_ASSERT_OK(opened);
    BiStream& stream = **opened;
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::data, Bytes(20'000)));
    ALKNET_CO_ASSERT_OK(
        co_await write_frame(stream, encode(Download{.bytes = 200'000, .milliseconds = 9000})));
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::look, {}));
    (void)co_await served.scope.join();
    ALKNET_CO_ASSERT(served.outcome && !*served.outcome);
    EXPECT_TRUE(served.outcome->error().is(causes::kProtocol));
}

ALKNET_CO_TEST(Handler, SaysWhichOfTwoFlowsItHasCounted) {
    Served served(loop, {});
    const auto opened = co_await served.pair.client->open_bi();
    ALKNET_CO_ASSERT_OK(opened);
    BiStream& stream = **opened;
    FrameReader reader;
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::data, Bytes(1'000)));
    ALKNET_CO_ASSERT_OK(
        co_await write_frame(stream, encode(Download{.bytes = 200'000, .milliseconds = 9000})));
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::data, Bytes(2'000)));
    ALKNET_CO_ASSERT_OK(co_await send(stream, FrameType::end, {}));
    std::optional<Counted> given;
    std::optional<Counted> taken;
    std::uint64_t bytes = 0;
    while (!given || !taken) {
        const auto frame = co_await read_frame(reader, stream);
        ALKNET_CO_ASSERT(frame && *frame);
        if ((*frame)->type == FrameType::end) {
            const auto counted = decode_counted((*frame)->body);
            ALKNET_CO_ASSERT_OK(counted);
            (counted->given ? given : taken) = *counted;
        } else if ((*frame)->type == FrameType::data) {
            bytes += (*frame)->body.size();
        }
    }
    EXPECT_EQ(taken->bytes, 3'000U);
    EXPECT_EQ(given->bytes, 200'000U);
    EXPECT_EQ(bytes, 200'000U);
    EXPECT_TRUE(co_await stream.finish());
    (void)co_await served.scope.join();
    EXPECT_TRUE(served.outcome && *served.outcome);
}

ALKNET_CO_TEST(Handler, DatagramsAreSentBackUntilTheOctetsAreUsedUp) {
    DoctorHandlerOptions options;
    options.bytes_max = 1'000;
    Served served(loop, options);
    const auto opened = co_await served.pair.client->open_bi();
    ALKNET_CO_ASSERT_OK(opened);
    FrameReader reader;
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(served.pair.client->send_datagram(Bytes(300)));
    }
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(co_await served.pair.client->recv_datagram());
    }
    ALKNET_CO_ASSERT_OK(co_await send(**opened, FrameType::look, {}));
    const auto look = co_await read_expected(reader, **opened, FrameType::seen);
    ALKNET_CO_ASSERT_OK(look);
    EXPECT_EQ(decode_seen(look->body)->datagrams, 5U);
    EXPECT_TRUE(co_await (*opened)->finish());
    (void)co_await served.scope.join();
}

ALKNET_CO_TEST(Handler, OnePeerIsServedLessThanAll) {
    DoctorHandlerOptions options;
    options.connections_each_max = 1;
    Served served(loop, options);
    co_await loop.yield();
    const auto second = make_memory_connection_pair({});
    const auto refused = co_await served.handler.handle(second.server, known_peer());
    EXPECT_TRUE(!refused && refused.error().is(causes::kLimit));
    AuthContext somebody_else = known_peer();
    somebody_else.identity->id = "another";
    const auto third = make_memory_connection_pair({});
    third.client->close(0, {});
    const auto other = co_await served.handler.handle(third.server, somebody_else);
    EXPECT_FALSE(!other && other.error().is(causes::kLimit));
    served.pair.client->close(0, {});
    (void)co_await served.scope.join();
}

ALKNET_CO_TEST(Handler, ServesSoManyAtATime) {
    DoctorHandlerOptions options;
    options.connections_max = 1;
    Served served(loop, options);
    co_await loop.yield();
    const auto second = make_memory_connection_pair({});
    const auto refused = co_await served.handler.handle(second.server, known_peer());
    EXPECT_TRUE(!refused && refused.error().is(causes::kLimit));
    served.pair.client->close(0, {});
    (void)co_await served.scope.join();
    const auto third = make_memory_connection_pair({});
    third.client->close(0, {});
    const auto served_again = co_await served.handler.handle(third.server, known_peer());
    EXPECT_FALSE(!served_again && served_again.error().is(causes::kLimit));
}

}  // namespace
}  // namespace alknet::doctor
