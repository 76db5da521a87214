#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <random>

namespace alknet::net {
namespace {

class MemoryStreamTest : public testing::Test {
protected:
    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
};

Bytes noise(std::size_t size) {
    std::mt19937 random(7);
    Bytes bytes(size);
    for (std::byte& byte : bytes) {
        byte = static_cast<std::byte>(random());
    }
    return bytes;
}

task<result<void>> send_all(ByteStream& stream, Bytes data) {
    ALKNET_CO_CHECK(co_await stream.write(data));
    co_return co_await stream.finish();
}

task<result<void>> receive_all(ByteStream& stream, Bytes& into) {
    Bytes buffer(1000);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            co_return result<void>{};
        }
        into.insert(into.end(), buffer.begin(), buffer.begin() + std::ptrdiff_t(count));
    }
}

/// `data` from the first end to the second; gives what arrived.
task<result<Bytes>> transfer(Loop& loop, MemoryStreamPair& pair, Bytes data) {
    Bytes received;
    TaskScope scope(loop);
    scope.spawn(send_all(*pair.first, std::move(data)), "send");
    scope.spawn(receive_all(*pair.second, received), "receive");
    ALKNET_CO_CHECK(co_await scope.join());
    co_return received;
}

TEST_F(MemoryStreamTest, CarriesBytesThroughASmallBuffer) {
    const Bytes data = noise(100'000);
    for (const std::size_t buffer : {1UL, 7UL, 64UL, 100'000UL, 200'000UL}) {
        auto pair = make_memory_streams({.buffer_bytes = buffer});
        EXPECT_EQ(block_on(*loop, transfer(*loop, pair, data)).value(), data) << buffer;
    }
}

TEST_F(MemoryStreamTest, CarriesBytesInShortReadsAndWrites) {
    const Bytes data = noise(10'000);
    for (const std::size_t chunk : {1UL, 3UL, 1000UL}) {
        auto pair = make_memory_streams({.buffer_bytes = 100, .chunk_bytes_max = chunk},
                                        {.chunk_bytes_max = chunk});
        EXPECT_EQ(block_on(*loop, transfer(*loop, pair, data)).value(), data) << chunk;
    }
}

TEST_F(MemoryStreamTest, HoldsNoMoreThanItsBuffer) {
    auto [a, b] = make_memory_streams({.buffer_bytes = 10});
    EXPECT_EQ(a->try_write(noise(100)).value(), 10U);
    EXPECT_EQ(a->try_write(noise(100)).value(), 0U);
    Bytes into(4);
    EXPECT_EQ(b->try_read(into).value(), 4U);
    EXPECT_EQ(a->try_write(noise(100)).value(), 4U);
}

TEST_F(MemoryStreamTest, SaysThatNothingIsThereAndThatItHasEnded) {
    auto [a, b] = make_memory_streams();
    Bytes into(4);
    EXPECT_EQ(b->try_read(into).value(), std::nullopt);
    EXPECT_EQ(a->try_write(noise(1)).value(), 1U);
    EXPECT_TRUE(block_on(*loop, a->finish()));
    EXPECT_EQ(b->try_read(into).value(), 1U);
    EXPECT_EQ(b->try_read(into).value(), 0U);
    EXPECT_EQ(b->try_read(into).value(), 0U);
    // The other direction lives on.
    EXPECT_EQ(b->try_write(noise(2)).value(), 2U);
    EXPECT_EQ(a->try_read(into).value(), 2U);
    const auto late = a->try_write(noise(1));
    ASSERT_FALSE(late);
    EXPECT_TRUE(late.error().is(causes::kClosed));
}

TEST_F(MemoryStreamTest, AResetLosesWhatWasNotRead) {
    auto [a, b] = make_memory_streams();
    Bytes into(4);
    EXPECT_EQ(a->try_write(noise(1)).value(), 1U);
    a->reset(42);
    const auto read = b->try_read(into);
    ASSERT_FALSE(read);
    EXPECT_TRUE(read.error().is(causes::kReset));
    EXPECT_EQ(read.error().code(), 42U);
    EXPECT_FALSE(a->try_write(noise(1)));
    EXPECT_EQ(b->try_write(noise(1)).value(), 1U);
}

TEST_F(MemoryStreamTest, AStopReachesTheWriter) {
    auto [a, b] = make_memory_streams();
    Bytes into(4);
    b->stop(43);
    const auto written = a->try_write(noise(1));
    ASSERT_FALSE(written);
    EXPECT_TRUE(written.error().is(causes::kReset));
    EXPECT_EQ(written.error().code(), 43U);
    EXPECT_FALSE(block_on(*loop, a->finish()));
    EXPECT_TRUE(b->try_read(into).error().is(causes::kClosed));
}

TEST_F(MemoryStreamTest, AFinishedDirectionCannotBeReset) {
    auto [a, b] = make_memory_streams();
    EXPECT_EQ(a->try_write(noise(3)).value(), 3U);
    EXPECT_TRUE(block_on(*loop, a->finish()));
    a->reset(1);
    Bytes into(4);
    EXPECT_EQ(b->try_read(into).value(), 3U);
    EXPECT_EQ(b->try_read(into).value(), 0U);
}

TEST_F(MemoryStreamTest, DestroyingAnEndResetsAndStops) {
    auto [a, b] = make_memory_streams();
    Bytes into(4);
    a.reset();
    EXPECT_TRUE(b->try_read(into).error().is(causes::kReset));
    EXPECT_TRUE(b->try_write(noise(1)).error().is(causes::kReset));

    auto [c, d] = make_memory_streams();
    EXPECT_EQ(c->try_write(noise(2)).value(), 2U);
    EXPECT_TRUE(block_on(*loop, c->finish()));
    c.reset();
    EXPECT_EQ(d->try_read(into).value(), 2U);
    EXPECT_EQ(d->try_read(into).value(), 0U);
}

task<result<void>> reset_later(Loop& loop, ByteStream& stream) {
    co_await loop.yield();
    stream.reset(5);
    co_return result<void>{};
}

task<result<std::size_t>> read_while_reset(Loop& loop, MemoryStreamPair& pair) {
    TaskScope scope(loop);
    scope.spawn(reset_later(loop, *pair.first), "reset");
    Bytes into(4);
    const auto count = co_await pair.second->read(into);
    ALKNET_CO_CHECK(co_await scope.join());
    co_return count;
}

TEST_F(MemoryStreamTest, AResetWakesTheReader) {
    auto pair = make_memory_streams();
    const auto read = block_on(*loop, read_while_reset(*loop, pair));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), 5U);
}

task<result<void>> stop_later(Loop& loop, ByteStream& stream) {
    co_await loop.yield();
    stream.stop(6);
    co_return result<void>{};
}

task<result<void>> write_while_stopped(Loop& loop, MemoryStreamPair& pair) {
    TaskScope scope(loop);
    scope.spawn(stop_later(loop, *pair.second), "stop");
    const Bytes data(100);
    const auto written = co_await pair.first->write(data);
    ALKNET_CO_CHECK(co_await scope.join());
    co_return written;
}

TEST_F(MemoryStreamTest, AStopWakesTheWriter) {
    auto pair = make_memory_streams({.buffer_bytes = 10});
    const auto written = block_on(*loop, write_while_stopped(*loop, pair));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code(), 6U);
}

task<result<std::size_t>> cancelled_read(ByteStream& stream) {
    Cancel cancel;
    cancel.request();
    Bytes into(4);
    co_return co_await stream.read(into).under(cancel);
}

TEST_F(MemoryStreamTest, AReadCanBeCancelled) {
    auto pair = make_memory_streams();
    const auto read = block_on(*loop, cancelled_read(*pair.second));
    ASSERT_FALSE(read);
    EXPECT_TRUE(read.error().is(causes::kCancelled));
}

TEST_F(MemoryStreamTest, BreaksWhereItIsTold) {
    const Bytes data = noise(5000);
    const auto reads =
        make_memory_streams({.buffer_bytes = 1000}, {.break_after_read_bytes = 1234});
    const auto writes = make_memory_streams({.break_after_written_bytes = 1234});
    for (const MemoryStreamPair* pair : {&reads, &writes}) {
        std::size_t arrived = 0;
        Bytes into(100);
        for (;;) {
            const auto written = pair->first->try_write(std::span(data).subspan(arrived));
            if (!written) {
                EXPECT_TRUE(written.error().is(causes::kReset));
                break;
            }
            const auto count = pair->second->try_read(into);
            if (!count) {
                EXPECT_TRUE(count.error().is(causes::kReset));
                break;
            }
            arrived += count->value();
        }
        EXPECT_EQ(arrived, pair == &reads ? 1234U : 0U);
        EXPECT_TRUE(pair->second->try_write(data).error().is(causes::kReset));
        EXPECT_TRUE(pair->first->try_read(into).error().is(causes::kReset));
    }
}

TEST_F(MemoryStreamTest, MayBeBrokenFromTheStart) {
    auto [a, b] = make_memory_streams({.break_after_read_bytes = 0});
    Bytes into(4);
    EXPECT_TRUE(a->try_read(into).error().is(causes::kReset));
    EXPECT_TRUE(b->try_read(into).error().is(causes::kReset));
}

}  // namespace
}  // namespace alknet::net
