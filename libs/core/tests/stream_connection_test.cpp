#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>

#include "support.hpp"

namespace alknet {
namespace {

using namespace test;
using std::chrono::seconds;

struct Ends {
    std::shared_ptr<StreamConnection> client;
    std::shared_ptr<StreamConnection> server;
};

Ends make_ends(Loop& loop, Duration idle_timeout = {}, std::size_t buffer = 64 << 10) {
    net::MemoryStreamOptions pipe;
    pipe.buffer_bytes = buffer;
    auto [a, b] = net::make_memory_streams(pipe, pipe);
    StreamConnectionOptions options;
    options.idle_timeout = idle_timeout;
    Ends ends;
    ends.client = make_stream_connection(loop, std::move(a), options);
    options.info.server_side = true;
    ends.server = make_stream_connection(loop, std::move(b), options);
    return ends;
}

struct Streams {
    std::unique_ptr<BiStream> client;
    std::unique_ptr<BiStream> server;
};

task<Streams> open(Ends& ends) {
    auto client = co_await ends.client->open_bi();
    auto server = co_await ends.server->accept_bi();
    co_return Streams{.client = std::move(client.value()), .server = std::move(server.value())};
}

ALKNET_CO_TEST(StreamConnection, YieldsItsOneStreamOnEachSide) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    const Bytes data = noise(300'000);
    Started echo(loop, exchange(loop, *streams.client, data));
    auto received = co_await receive_all(*streams.server);
    EXPECT_EQ(received.value(), data);
    EXPECT_TRUE(co_await send_all(*streams.server, noise(100'000)));
    EXPECT_EQ((co_await echo.join()).value(), noise(100'000));
    EXPECT_EQ(ends.client->stats().bytes_sent, 300'000U);
    EXPECT_EQ(ends.client->stats().bytes_received, 100'000U);
    EXPECT_EQ(ends.server->stats().streams_total, 1U);
}

ALKNET_CO_TEST(StreamConnection, HasNothingElse) {
    Ends ends = make_ends(loop);
    EXPECT_TRUE((co_await ends.client->accept_bi()).error().is(causes::kNotSupported));
    EXPECT_TRUE((co_await ends.server->open_bi()).error().is(causes::kNotSupported));
    EXPECT_TRUE((co_await ends.client->open_uni()).error().is(causes::kNotSupported));
    EXPECT_TRUE((co_await ends.client->accept_uni()).error().is(causes::kNotSupported));
    EXPECT_TRUE((co_await ends.client->recv_datagram()).error().is(causes::kNotSupported));
    EXPECT_TRUE(ends.client->send_datagram({}).error().is(causes::kNotSupported));
    EXPECT_EQ(ends.client->datagram_bytes_max(), 0U);
    const auto stream = co_await ends.client->open_bi();
    EXPECT_TRUE((co_await ends.client->open_bi()).error().is(causes::kNotSupported));
    Bytes out(8);
    EXPECT_TRUE(
        ends.client->export_keying_material("x", {}, out).error().is(causes::kNotSupported));
}

ALKNET_CO_TEST(StreamConnection, ASecondAcceptWaitsForTheEnd) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    Started second(loop, ends.server->accept_bi());
    co_await settle(loop);
    EXPECT_FALSE(second.done());
    // Both halves end in order: that is the end of the connection.
    EXPECT_TRUE(co_await streams.client->finish());
    EXPECT_EQ((co_await receive_all(*streams.server)).value(), Bytes());
    EXPECT_FALSE(ends.server->closed().requested());
    EXPECT_TRUE(co_await streams.server->finish());
    const auto outcome = co_await second.join();
    EXPECT_TRUE(outcome.error().is(causes::kClosed));
    EXPECT_TRUE(ends.server->closed().requested());
    EXPECT_TRUE(co_await ends.server->wait_closed());
    // What was read to its end stays so.
    Bytes buffer(1);
    EXPECT_EQ(co_await streams.server->read(buffer), 0U);
    EXPECT_TRUE((co_await ends.server->accept_bi()).error().is(causes::kClosed));
}

ALKNET_CO_TEST(StreamConnection, CloseEndsEveryWaitWithItsCodeOnThisSideAlone) {
    Ends ends = make_ends(loop, {}, 10);
    Streams streams = co_await open(ends);
    Bytes buffer(10);
    Started reading(loop, streams.server->read(buffer));
    Started writing(loop, send_some(*streams.server, noise(100)));
    Started accepting(loop, ends.server->accept_bi());
    Started waiting(loop, ends.server->wait_closed());
    co_await settle(loop);
    ends.server->close(42, "enough");
    ends.server->close(43, "twice");
    for (const error& why :
         {(co_await reading.join()).error(), (co_await writing.join()).error(),
          (co_await accepting.join()).error(), ends.server->close_reason().value()}) {
        EXPECT_TRUE(why.is(causes::kClosed));
        EXPECT_EQ(why.code(), 42U);
        EXPECT_EQ(why.detail(), "enough");
    }
    EXPECT_TRUE(co_await waiting.join());
    EXPECT_EQ((co_await streams.server->write(noise(1))).error().code(), 42U);
    EXPECT_EQ((co_await streams.server->finish()).error().code(), 42U);
    EXPECT_EQ(ends.server->stats().streams_open, 0U);
    const auto seen = co_await receive_all(*streams.client);
    EXPECT_TRUE(seen.error().is(causes::kReset));
    EXPECT_EQ(ends.client->close_reason()->code(), 0U);  // it cannot travel
}

ALKNET_CO_TEST(StreamConnection, ACancelledReadLosesNothing) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    Bytes buffer(10);
    Started reading(loop, streams.server->read(buffer));
    co_await settle(loop);
    reading.cancel();
    EXPECT_TRUE((co_await reading.join()).error().is(causes::kCancelled));
    EXPECT_FALSE(ends.server->close_reason().has_value());
    EXPECT_TRUE(co_await streams.client->write(noise(3)));
    EXPECT_EQ(co_await streams.server->read(buffer), 3U);
}

ALKNET_CO_TEST(StreamConnection, ABrokenStreamIsTheEnd) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    streams.client->reset(9);
    EXPECT_TRUE(ends.client->close_reason()->is(causes::kReset));
    EXPECT_EQ(ends.client->close_reason()->code(), 9U);
    Bytes buffer(1);
    const auto nothing = co_await streams.server->read(buffer);
    ALKNET_CO_ASSERT(!nothing);
    EXPECT_TRUE(nothing.error().is(causes::kReset));
    EXPECT_THAT(nothing.error().detail(), testing::HasSubstr("before anything came back"));
    EXPECT_TRUE(ends.server->closed().requested());
}

ALKNET_CO_TEST(StreamConnection, ABreakAfterSomethingCameIsNoRefusal) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    Bytes buffer(1);
    EXPECT_TRUE(co_await streams.client->write(noise(1)));
    EXPECT_EQ(co_await streams.server->read(buffer), 1U);
    streams.client->reset(9);
    const auto broken = co_await streams.server->read(buffer);
    ALKNET_CO_ASSERT(!broken);
    EXPECT_EQ(broken.error().detail(), "");
}

ALKNET_CO_TEST(StreamConnection, AStreamDroppedUnfinishedIsTheEnd) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    streams.client.reset();
    EXPECT_TRUE(ends.client->close_reason()->is(causes::kClosed));
    EXPECT_FALSE(co_await receive_all(*streams.server));
}

ALKNET_CO_TEST(StreamConnection, WhatWasFinishedIsDeliveredThoughTheRestIsUnread) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    EXPECT_TRUE(co_await streams.client->write(noise(50'000)));
    EXPECT_TRUE(co_await send_all(*streams.server, noise(1000)));
    streams.server.reset();
    EXPECT_FALSE(ends.server->closed().requested());
    EXPECT_EQ(ends.server->stats().streams_open, 1U);
    // The peer goes on sending into the void, and gets its answer.
    EXPECT_TRUE(co_await send_all(*streams.client, noise(100'000)));
    EXPECT_EQ((co_await receive_all(*streams.client)).value(), noise(1000));
    EXPECT_TRUE(co_await ends.server->wait_closed());
    EXPECT_EQ(ends.server->stats().streams_open, 0U);
}

ALKNET_CO_TEST(StreamConnection, DrainingEndsThoughThePeerDoesNot) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    EXPECT_TRUE(co_await send_all(*streams.server, noise(10)));
    streams.server.reset();
    const TimePoint before = loop.now();
    EXPECT_TRUE(co_await ends.server->wait_closed());
    EXPECT_EQ(loop.now() - before, StreamConnection::kDrainTimeout);
}

ALKNET_CO_TEST(StreamConnection, ClosedInTheTurnInWhichItIsDroppedThereIsNothingToDrain) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    EXPECT_TRUE(co_await send_all(*streams.server, noise(10)));
    streams.server.reset();
    EXPECT_FALSE(ends.server->close_reason().has_value());
    ends.server->close(close_code::kOk, "");
    EXPECT_TRUE(co_await ends.server->wait_closed());
    EXPECT_TRUE(co_await loop.sleep(seconds(1)));
}

ALKNET_CO_TEST(StreamConnection, DrainingEndsAfterItsBytes) {
    Ends ends = make_ends(loop, {}, 4096);
    Streams streams = co_await open(ends);
    EXPECT_TRUE(co_await send_all(*streams.server, noise(10)));
    streams.server.reset();
    Started flood(loop, send_some(*streams.client, noise(2 * StreamConnection::kDrainBytesMax)));
    const TimePoint before = loop.now();
    EXPECT_TRUE(co_await ends.server->wait_closed());
    EXPECT_EQ(loop.now(), before);
    EXPECT_FALSE(co_await flood.join());
}

ALKNET_CO_TEST(StreamConnection, StoppedReadingLeavesWriting) {
    Ends ends = make_ends(loop);
    Streams streams = co_await open(ends);
    streams.server->stop(5);
    Bytes buffer(1);
    EXPECT_TRUE((co_await streams.server->read(buffer)).error().is(causes::kClosed));
    EXPECT_TRUE(co_await send_all(*streams.server, noise(10)));
    EXPECT_EQ((co_await receive_all(*streams.client)).value(), noise(10));
    EXPECT_FALSE(ends.server->close_reason().has_value());
    streams.server.reset();
    EXPECT_TRUE(ends.server->close_reason().has_value());
}

ALKNET_CO_TEST(StreamConnection, IdleTimeoutCountsFromTheLastByte) {
    Ends ends = make_ends(loop, seconds(60));
    Streams streams = co_await open(ends);
    const TimePoint start = loop.now();
    Bytes buffer(10);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(co_await loop.sleep(seconds(50)));
        EXPECT_TRUE(co_await streams.client->write(noise(1)));
        EXPECT_EQ(co_await streams.server->read(buffer), 1U);
    }
    const auto end = co_await streams.server->read(buffer);
    EXPECT_TRUE(end.error().is(causes::kIdleTimeout));
    EXPECT_EQ(loop.now() - start, seconds(210));
    EXPECT_TRUE(ends.client->close_reason()->is(causes::kIdleTimeout));
}

ALKNET_CO_TEST(StreamConnection, IdleTimeoutCanChangeAndGo) {
    Ends ends = make_ends(loop, seconds(60));
    Streams streams = co_await open(ends);
    ends.client->set_idle_timeout(Duration::zero());
    ends.server->set_idle_timeout(seconds(200));
    const TimePoint start = loop.now();
    EXPECT_TRUE(co_await ends.server->wait_closed());
    EXPECT_EQ(loop.now() - start, seconds(200));
    EXPECT_FALSE(ends.client->close_reason().has_value());
    ends.server->set_idle_timeout(seconds(1));    // after the end: nothing
    ends.client->set_idle_timeout(seconds(100));  // it has been idle for longer
    EXPECT_TRUE(ends.client->close_reason()->is(causes::kIdleTimeout));
}

ALKNET_CO_TEST(StreamConnection, ALongWriteIsNotIdleWhileItMoves) {
    Ends ends = make_ends(loop, seconds(60), 16 << 10);
    Streams streams = co_await open(ends);
    Started writing(loop, send_all(*streams.client, noise(100 << 10)));
    Bytes buffer(8 << 10);
    std::size_t received = 0;
    for (;;) {
        EXPECT_TRUE(co_await loop.sleep(seconds(20)));
        const auto got = co_await streams.server->read(buffer);
        ALKNET_CO_ASSERT_OK(got);
        if (*got == 0) {
            break;
        }
        received += *got;
    }
    EXPECT_EQ(received, 100U << 10);
    EXPECT_TRUE(co_await writing.join());
}

ALKNET_CO_TEST(StreamConnection, TheExporterIsNotAskedOnceTheStreamHasGone) {
    auto [a, b] = net::make_memory_streams();
    StreamConnectionOptions options;
    int calls = 0;
    options.exporter = [&calls](std::string_view, BytesView, MutableBytes out) {
        ++calls;
        out[0] = std::byte{7};
        return result<void>{};
    };
    const auto connection = make_stream_connection(loop, std::move(a), std::move(options));
    Bytes out(1);
    EXPECT_TRUE(connection->export_keying_material("label", {}, out));
    EXPECT_EQ(out[0], std::byte{7});
    connection->close(0, "");
    EXPECT_FALSE(connection->export_keying_material("label", {}, out));
    EXPECT_EQ(calls, 1);
    co_return;
}

/// What is left of a peer that has answered and hung up: nothing can be written, and what it said
/// is there, or comes a little later.
class HungUp final : public BiStream {
public:
    HungUp(Loop& loop, std::string last, bool ends)
        : loop_(loop), last_(std::move(last)), ends_(ends) {}
    task<result<std::size_t>> read(MutableBytes into) override {
        ALKNET_CO_CHECK(co_await loop_.sleep(std::chrono::milliseconds(1)));
        if (last_.empty() && !ends_) {
            ALKNET_CO_CHECK(co_await loop_.sleep(Duration::max()));
        }
        const std::size_t count = std::min(into.size(), last_.size());
        std::ranges::copy(as_bytes(last_).first(count), into.begin());
        last_.erase(0, count);
        co_return count;
    }
    task<result<void>> write(BytesView /*data*/) override { co_return fail(causes::kReset); }
    task<result<void>> finish() override { co_return fail(causes::kReset); }
    void reset(std::uint64_t /*code*/) noexcept override {}
    void stop(std::uint64_t /*code*/) noexcept override {}
    [[nodiscard]] std::uint64_t id() const noexcept override { return 0; }

private:
    Loop& loop_;
    std::string last_;
    bool ends_;
};

ALKNET_CO_TEST(StreamConnection, ReadsWhatHadComeBeforeAWriteFailed) {
    const auto connection =
        make_stream_connection(loop, std::make_unique<HungUp>(loop, "bye", true), {});
    auto stream = co_await connection->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    const Bytes data = noise(10);
    EXPECT_FALSE(co_await (*stream)->write(data));
    EXPECT_FALSE(co_await (*stream)->write(data));
    EXPECT_FALSE(co_await (*stream)->finish());
    EXPECT_FALSE(connection->close_reason()) << "it may have said something";
    Bytes buffer(100);
    const auto last = co_await (*stream)->read(buffer);
    ALKNET_CO_ASSERT_OK(last);
    EXPECT_EQ(as_text(BytesView(buffer).first(*last)), "bye");
    EXPECT_EQ((co_await (*stream)->read(buffer)).value_or(1), 0U);
    ALKNET_CO_ASSERT(connection->close_reason().has_value());
    EXPECT_TRUE(connection->close_reason()->is(causes::kReset));
}

ALKNET_CO_TEST(StreamConnection, WaitsForLastWordsSoLongAndNoLonger) {
    const auto connection =
        make_stream_connection(loop, std::make_unique<HungUp>(loop, "", false), {});
    auto stream = co_await connection->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    const Bytes data = noise(10);
    const TimePoint before = loop.now();
    EXPECT_FALSE(co_await (*stream)->write(data));
    Bytes buffer(100);
    const auto nothing = co_await (*stream)->read(buffer);
    ALKNET_CO_ASSERT(!nothing);
    EXPECT_TRUE(nothing.error().is(causes::kReset));
    EXPECT_EQ(loop.now() - before, StreamConnection::kLastWordsTimeout);
    EXPECT_TRUE(connection->closed().requested());
}

ALKNET_CO_TEST(StreamConnection, AConnectionThatNobodyTookResetsItsStream) {
    Ends ends = make_ends(loop);
    auto server = co_await ends.server->accept_bi();
    ends.client.reset();
    EXPECT_FALSE(co_await receive_all(**server));
}

}  // namespace
}  // namespace alknet
