#include <sodium.h>
#include <alknet/net/shared_credit.hpp>

#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

std::string digest(std::string_view text) {
    std::string out(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(out.data()),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return out;
}

/// One half of a stream each, so that both directions run at once.
task<result<void>> write_half(SendStream& stream, std::string text) {
    co_return co_await write_all(stream, std::move(text));
}

task<result<std::string>> exchange(std::shared_ptr<Connection> connection, Loop& loop,
                                   std::string text) {
    ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
    TaskScope scope(loop);
    scope.spawn(write_half(*stream, std::move(text)), "writer");
    auto answer = co_await read_all(*stream);
    ALKNET_CO_CHECK(co_await scope.join());
    co_return answer;
}

TEST_F(QuicTest, TenMegabytesGoBothWaysUnharmed) {
    serve_echo();
    start_client();
    auto connection = dial();
    ASSERT_TRUE(connection);
    const std::string text = pattern(10 << 20);
    const auto answer = run(exchange(*connection, client_process->loop(), text));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(digest(*answer), digest(text));
    const auto stats = (*connection)->stats();
    EXPECT_EQ(stats.bytes_sent, text.size());
    EXPECT_EQ(stats.bytes_received, text.size());
    EXPECT_EQ(stats.buffered_bytes, 0U);
}

task<result<void>> expect_echo(std::shared_ptr<Connection> connection, Loop& loop,
                               std::string text) {
    ALKNET_CO_TRY(const std::string answer, co_await exchange(connection, loop, text));
    co_return answer == text ? result<void>{} : fail(causes::kProtocol, "another text came back");
}

task<result<void>> many(std::shared_ptr<Connection> connection, Loop& loop, unsigned count) {
    TaskScope scope(loop);
    for (unsigned i = 0; i < count; ++i) {
        scope.spawn(expect_echo(connection, loop, pattern(20'000 + i, i)), "one");
    }
    co_return co_await scope.join();
}

TEST_F(QuicTest, AHundredStreamsAtOnce) {
    serve_echo();
    start_client();
    auto connection = dial();
    ASSERT_TRUE(connection);
    const auto outcome = run(many(*connection, client_process->loop(), 100));
    EXPECT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ((*connection)->stats().streams_total, 100U);
}

TEST_F(QuicTest, MoreStreamsThanThePeerAllowsWaitForTheirTurn) {
    policy.transport.streams_bidi_max = 3;
    serve_echo();
    start_client();
    auto connection = dial();
    ASSERT_TRUE(connection);
    const auto outcome = run(many(*connection, client_process->loop(), 40));
    EXPECT_TRUE(outcome) << outcome.error().message();
}

task<void> open_into(std::shared_ptr<Connection> connection,
                     std::vector<std::unique_ptr<BiStream>>& opened) {
    for (;;) {
        auto stream = co_await connection->open_bi();
        if (!stream) {
            co_return;
        }
        opened.push_back(std::move(*stream));
    }
}

TEST_F(QuicTest, TheStreamLimitHoldsUntilAStreamHasEndedOnBothSides) {
    policy.transport.streams_bidi_max = 5;
    connect();
    std::vector<std::unique_ptr<BiStream>> opened;
    client_tasks->spawn(open_into(pair.client, opened), "opener");
    world.run_for(2s);
    ASSERT_EQ(opened.size(), 5U);

    // Reset on the client's side alone: the server still has it.
    opened.front()->reset(1);
    opened.front()->stop(1);
    world.run_for(2s);
    EXPECT_EQ(opened.size(), 5U);

    // The server takes the first stream and lets go of it.
    auto first = run_on(*server_process, pair.server->accept_bi());
    ASSERT_TRUE(first);
    (*first).reset();
    world.run_for(2s);
    EXPECT_EQ(opened.size(), 6U);

    // More streams are allowed from now on.
    pair.server->set_stream_limits(8, 8);
    world.run_for(2s);
    EXPECT_EQ(opened.size(), 9U);
    pair.client->close(0, "");
    world.run_for(1s);
    opened.clear();
}

TEST_F(QuicTest, StreamsOfOneDirection) {
    connect();
    auto sender = run(pair.client->open_uni());
    ASSERT_TRUE(sender);
    ASSERT_TRUE(run(write_all(**sender, "one way")));
    auto receiver = run_on(*server_process, pair.server->accept_uni());
    ASSERT_TRUE(receiver);
    const auto text = run_on(*server_process, read_all(**receiver));
    ASSERT_TRUE(text) << text.error().message();
    EXPECT_EQ(*text, "one way");
}

TEST_F(QuicTest, TheSideThatAcceptsMaySpeakFirst) {
    connect();
    auto opened = run(pair.client->open_bi());
    ASSERT_TRUE(opened);
    auto accepted = run_on(*server_process, pair.server->accept_bi());
    ASSERT_TRUE(accepted);
    EXPECT_EQ((*accepted)->id(), (*opened)->id());
    ASSERT_TRUE(run_on(*server_process, write_all(**accepted, "welcome")));
    const auto text = run(read_all(**opened));
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, "welcome");
}

TEST_F(QuicTest, TheServerOpensStreamsToo) {
    connect();
    auto opened = run_on(*server_process, pair.server->open_bi());
    ASSERT_TRUE(opened);
    ASSERT_TRUE(run_on(*server_process, write_all(**opened, "from the server")));
    auto accepted = run(pair.client->accept_bi());
    ASSERT_TRUE(accepted);
    const auto text = run(read_all(**accepted));
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, "from the server");
}

struct StreamPair {
    std::unique_ptr<BiStream> client;
    std::unique_ptr<BiStream> server;
};

class StreamTest : public QuicTest {
protected:
    StreamPair open() {
        if (pair.client == nullptr) {
            connect();
        }
        auto opened = run(pair.client->open_bi());
        EXPECT_TRUE(opened);
        auto accepted = run_on(*server_process, pair.server->accept_bi());
        EXPECT_TRUE(accepted);
        return {std::move(*opened), std::move(*accepted)};
    }
    /// Of 4 MiB there and back, in round trips of 20 ms; for ever if they do not come back.
    Duration time_of_an_echo(const TransportOptions& transport) {
        start(transport);
        serve_echo();
        auto connection = dial();
        if (!connection) {
            return Duration::max();
        }
        const auto begin = world.now();
        const auto answer = run(exchange(*connection, client_process->loop(), pattern(4 << 20)));
        return answer ? world.now() - begin : Duration::max();
    }
};

TEST_F(StreamTest, AResetCarriesItsCodeToTheReader) {
    auto streams = open();
    streams.client->reset(77);
    const auto text = run_on(*server_process, read_all(*streams.server));
    ASSERT_FALSE(text);
    EXPECT_TRUE(text.error().is(causes::kReset));
    EXPECT_EQ(text.error().code(), 77U);
    // The other direction lives.
    ASSERT_TRUE(run_on(*server_process, write_all(*streams.server, "still here")));
    EXPECT_EQ(run(read_all(*streams.client)).value(), "still here");
}

task<result<void>> write_for_ever(SendStream& stream) {
    const std::string text = pattern(4096);
    for (;;) {
        ALKNET_CO_CHECK(co_await stream.write(as_bytes(text)));
    }
}

TEST_F(StreamTest, AStopCarriesItsCodeToAWaitingWriter) {
    auto streams = open();
    std::optional<result<void>> outcome;
    client_tasks->spawn(keep(write_for_ever(*streams.client), outcome), "writer");
    world.run_for(1s);
    ASSERT_FALSE(outcome) << "nobody reads, so the writer waits";
    streams.server->stop(78);
    ASSERT_TRUE(until([&] { return outcome.has_value(); }));
    ASSERT_FALSE(*outcome);
    EXPECT_TRUE(outcome->error().is(causes::kReset)) << outcome->error().message();
    EXPECT_EQ(outcome->error().code(), 78U);
    const auto after = run_on(*server_process, read_all(*streams.server));
    ASSERT_FALSE(after) << "reading was stopped here";
}

TEST_F(StreamTest, DestroyingAStreamResetsAndStops) {
    auto streams = open();
    streams.client.reset();
    const auto text = run_on(*server_process, read_all(*streams.server));
    ASSERT_FALSE(text);
    EXPECT_TRUE(text.error().is(causes::kReset));
    EXPECT_EQ(text.error().code(), 0U);
    const auto written = run_on(*server_process, write_for_ever(*streams.server));
    ASSERT_FALSE(written);
    EXPECT_TRUE(written.error().is(causes::kReset));
}

TEST_F(StreamTest, AFinishedStreamMayBeDestroyedAtOnce) {
    connect();
    auto opened = run(pair.client->open_uni());
    ASSERT_TRUE(opened);
    ASSERT_TRUE(run(write_all(**opened, pattern(100'000))));
    (*opened).reset();
    auto accepted = run_on(*server_process, pair.server->accept_uni());
    ASSERT_TRUE(accepted);
    EXPECT_EQ(run_on(*server_process, read_all(**accepted)).value(), pattern(100'000));
}

TEST_F(StreamTest, HalfCloseLeavesTheOtherDirection) {
    auto streams = open();
    ASSERT_TRUE(run(write_all(*streams.client, "question")));
    EXPECT_EQ(run_on(*server_process, read_all(*streams.server)).value(), "question");
    world.run_for(3s);
    ASSERT_TRUE(run_on(*server_process, write_all(*streams.server, pattern(300'000))));
    EXPECT_EQ(run(read_all(*streams.client)).value(), pattern(300'000));
}

TEST_F(StreamTest, ASlowReaderHoldsTheWriterBackAndMemoryStaysBounded) {
    policy.transport.stream_window_bytes = 64 << 10;
    policy.transport.stream_window_bytes_max = 64 << 10;
    TransportOptions transport;
    transport.unsent_bytes_max = 128 << 10;
    start(transport);
    auto streams = open();
    std::optional<result<void>> outcome;
    client_tasks->spawn(keep(write_for_ever(*streams.client), outcome), "writer");
    world.run_for(10s);
    EXPECT_FALSE(outcome);
    EXPECT_EQ(pair.server->stats().buffered_bytes, 64U << 10);
    // What the peer has acknowledged is forgotten: only the send buffer's bound remains.
    EXPECT_EQ(pair.client->stats().buffered_bytes, 128U << 10);

    Bytes some(1000);
    EXPECT_EQ(run_on(*server_process, streams.server->read(some)).value(), some.size());
    world.run_for(10s);
    EXPECT_EQ(pair.server->stats().buffered_bytes, (64U << 10) - some.size())
        << "credit is given back in steps, not octet by octet";
    for (int i = 0; i < 50; ++i) {
        (void)run_on(*server_process, streams.server->read(some)).value();
    }
    world.run_for(10s);
    EXPECT_EQ(pair.server->stats().buffered_bytes, 64U << 10);
}

TEST_F(StreamTest, APeerThatNeverReadsOnManyStreamsCannotMakeUsBuffer) {
    TransportOptions transport;
    transport.stream_window_bytes_max = transport.stream_window_bytes;
    transport.connection_window_bytes = 256 << 10;
    transport.connection_window_bytes_max = 512 << 10;
    policy.transport = transport;
    start(transport);
    connect();
    std::vector<std::unique_ptr<BiStream>> held;
    std::vector<std::optional<result<void>>> outcomes(20);
    for (auto& outcome : outcomes) {
        held.push_back(run(pair.client->open_bi()).value());
        client_tasks->spawn(keep(write_for_ever(*held.back()), outcome), "writer");
    }
    world.run_for(30s);
    EXPECT_LE(pair.client->stats().buffered_bytes, 512U << 10);
    EXPECT_LE(pair.server->stats().buffered_bytes, 256U << 10);
    EXPECT_GT(pair.server->stats().buffered_bytes, 200U << 10);
    pair.client->close(0, "");
    world.run_for(1s);
}

struct SlowStream {
    std::unique_ptr<BiStream> client;
    std::unique_ptr<BiStream> server;
    std::optional<result<void>> written;
};

// What they hold would fill the window of the connection several times, and the send buffers too.
TEST_F(StreamTest, ThoseThatStandAloneHoldUpNoOther) {
    policy.transport.connection_window_bytes = 64 << 10;
    policy.transport.connection_window_bytes_max = 64 << 10;
    policy.transport.stream_window_bytes = 32 << 10;
    TransportOptions transport;
    transport.connection_window_bytes_max = 3 << 20;
    start(transport);
    connect();
    const std::string text = pattern(1 << 20);
    std::vector<SlowStream> slow(8);
    for (SlowStream& one : slow) {
        one.client = run(pair.client->open_bi()).value();
        stand_alone(*one.client);
        client_tasks->spawn(keep(write_all(*one.client, text), one.written), "writer");
        one.server = run_on(*server_process, pair.server->accept_bi()).value();
        world.run_for(1s);
        stand_alone(*one.server);  // also what is there already
    }
    world.run_for(10s);
    EXPECT_EQ(pair.server->stats().buffered_bytes, slow.size() * (32U << 10));
    EXPECT_FALSE(slow.front().written);

    auto fast = run(pair.client->open_bi()).value();
    ASSERT_TRUE(run(write_all(*fast, pattern(20'000))));
    auto there = run_on(*server_process, pair.server->accept_bi()).value();
    EXPECT_EQ(run_on(*server_process, read_all(*there)).value(), pattern(20'000));

    slow.front().server->stop(1);
    slow.front().client->reset(1);
    for (SlowStream& one : std::span(slow).subspan(1)) {
        EXPECT_EQ(run_on(*server_process, read_all(*one.server)).value(), text);
    }
    EXPECT_EQ(pair.server->stats().buffered_bytes, 0U);
}

TEST_F(StreamTest, WhatComesAfterAStopIsNotHeld) {
    auto streams = open();
    streams.server->stop(1);
    (void)run(write_all(*streams.client, pattern(100'000)));
    world.run_for(1s);
    EXPECT_EQ(pair.server->stats().buffered_bytes, 0U);
}

TEST_F(StreamTest, TheWindowGrowsOnlyAsFarAsAllowed) {
    TransportOptions transport;
    transport.stream_window_bytes = 32 << 10;
    transport.stream_window_bytes_max = 256 << 10;
    transport.connection_window_bytes = 64 << 10;
    transport.connection_window_bytes_max = 1 << 20;
    policy.transport = transport;
    // A window of 32 KiB that never grew would take 128 round trips of 20 ms.
    EXPECT_LT(time_of_an_echo(transport), 128 * 20ms);
}

TEST_F(StreamTest, WhatIsInFlightIsNotHeldToWhatMayWait) {
    TransportOptions transport;
    transport.unsent_bytes_max = 16 << 10;
    // 16 KiB for each round trip of 20 ms would take 256 of them.
    EXPECT_LT(time_of_an_echo(transport), 128 * 20ms);
}

TEST_F(StreamTest, ReadsGoOnAfterTheConnectionHasEnded) {
    auto streams = open();
    ASSERT_TRUE(run(write_all(*streams.client, "last words")));
    world.run_for(1s);
    pair.client->close(5, "enough");
    world.run_for(1s);
    ASSERT_TRUE(pair.server->close_reason());
    EXPECT_EQ(run_on(*server_process, read_all(*streams.server)).value(), "last words");
    const auto written = run_on(*server_process, write_all(*streams.server, "too late"));
    ASSERT_FALSE(written);
    EXPECT_TRUE(written.error().is(causes::kClosed));
    EXPECT_EQ(written.error().code(), 5U);
}

TEST_F(StreamTest, AStreamThatArrivedBeforeTheCloseCanStillBeAccepted) {
    connect();
    auto sender = run(pair.client->open_uni());
    ASSERT_TRUE(sender);
    ASSERT_TRUE(run(write_all(**sender, "posted")));
    world.run_for(1s);
    pair.client->close(9, "");
    world.run_for(1s);
    auto receiver = run_on(*server_process, pair.server->accept_uni());
    ASSERT_TRUE(receiver) << receiver.error().message();
    EXPECT_EQ(run_on(*server_process, read_all(**receiver)).value(), "posted");
    const auto none = run_on(*server_process, pair.server->accept_uni());
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), 9U);
}

task<result<std::size_t>> read_once(RecvStream& stream) {
    Bytes buffer(10);
    co_return co_await stream.read(buffer);
}

TEST_F(StreamTest, WaitsCanBeCancelledAndLoseNothing) {
    auto streams = open();
    const auto early =
        run_on(*server_process, with_timeout(milliseconds(100), read_once(*streams.server)));
    ASSERT_FALSE(early);
    EXPECT_TRUE(early.error().is(causes::kTimeout));
    const auto accepted =
        run_on(*server_process, with_timeout(milliseconds(100), pair.server->accept_bi()));
    ASSERT_FALSE(accepted);
    ASSERT_TRUE(run(write_all(*streams.client, "abc")));
    EXPECT_EQ(run_on(*server_process, read_all(*streams.server)).value(), "abc");
}

}  // namespace
}  // namespace alknet::quic
