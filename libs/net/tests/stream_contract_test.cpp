// What every ByteStream of this room does alike.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>

#include "stream_fixture.hpp"

namespace alknet::net {
namespace {

enum class Kind { memory, tcp_v4, tcp_v6, unix_socket, pipes, programs };

std::string name_of(const testing::TestParamInfo<Kind>& info) {
    switch (info.param) {
        case Kind::memory:
            return "Memory";
        case Kind::tcp_v4:
            return "TcpV4";
        case Kind::tcp_v6:
            return "TcpV6";
        case Kind::unix_socket:
            return "Unix";
        case Kind::pipes:
            return "Pipes";
        case Kind::programs:
            break;
    }
    return "Programs";
}

class ByteStreamContract : public StreamTest, public testing::WithParamInterface<Kind> {
protected:
    result<MemoryStreamPair> make() {
        switch (GetParam()) {
            case Kind::memory:
                return make_memory_streams();
            case Kind::tcp_v4:
                return run(tcp_pair(*loop, *network, "127.0.0.1:0"));
            case Kind::tcp_v6:
                return run(tcp_pair(*loop, *network, "[::1]:0"));
            case Kind::unix_socket:
                return run(unix_pair(*loop, socket_path()));
            case Kind::pipes:
                return pipe_pair(make_fd_stream);
            case Kind::programs:
                break;
        }
        return pipe_pair(make_pipe_stream);
    }
    void SetUp() override {
        auto made = make();
        ASSERT_TRUE(made) << made.error().message();
        std::tie(first, second) = std::move(*made);
    }
    /// Streams with resets that the other end can tell from an end.
    [[nodiscard]] static bool has_resets() { return GetParam() < Kind::unix_socket; }

    std::unique_ptr<ByteStream> first;
    std::unique_ptr<ByteStream> second;
};

INSTANTIATE_TEST_SUITE_P(Net, ByteStreamContract,
                         testing::Values(Kind::memory, Kind::tcp_v4, Kind::tcp_v6,
                                         Kind::unix_socket, Kind::pipes, Kind::programs),
                         name_of);

task<result<void>> exchange(Loop& loop, ByteStream& first, ByteStream& second, Bytes forth,
                            Bytes back, Bytes& at_second, Bytes& at_first) {
    TaskScope scope(loop);
    scope.spawn(send_all(first, std::move(forth)), "forth");
    scope.spawn(send_all(second, std::move(back)), "back");
    scope.spawn(receive_all(second, at_second), "at second");
    scope.spawn(receive_all(first, at_first), "at first");
    co_return co_await scope.join();
}

TEST_P(ByteStreamContract, CarriesBytesBothWaysAtOnce) {
    const Bytes forth = noise(3'000'000, 1);
    const Bytes back = noise(2'000'000, 2);
    Bytes at_second;
    Bytes at_first;
    const auto done = run(exchange(*loop, *first, *second, forth, back, at_second, at_first));
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(at_second, forth);
    EXPECT_EQ(at_first, back);
}

task<result<Bytes>> ask_and_answer(ByteStream& first, ByteStream& second) {
    ALKNET_CO_CHECK(co_await send_all(first, to_bytes(as_bytes("question"))));
    Bytes question;
    ALKNET_CO_CHECK(co_await receive_all(second, question));
    ALKNET_CO_CHECK(co_await send_all(second, question));
    Bytes answer;
    ALKNET_CO_CHECK(co_await receive_all(first, answer));
    co_return answer;
}

TEST_P(ByteStreamContract, EndsOneDirectionAlone) {
    const auto answer = run(ask_and_answer(*first, *second));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(as_text(*answer), "question");
    // Once more: finishing is idempotent, an end stays an end.
    EXPECT_TRUE(run(first->finish()));
    Bytes into(1);
    EXPECT_EQ(run(first->read(into)).value(), 0U);
    EXPECT_TRUE(run(first->write(into)).error().is(causes::kClosed));
}

/// Writes until nothing more is taken. Gives how much was.
task<result<std::size_t>> fill(ByteStream& stream, Bytes data) {
    std::size_t total = 0;
    for (;;) {
        ALKNET_CO_TRY(const std::size_t taken, stream.try_write(data));
        total += taken;
        if (taken == 0) {
            // Perhaps only this turn's budget is spent.
            const auto again =
                co_await with_timeout(std::chrono::milliseconds(50), stream.writable());
            if (!again) {
                co_return total;
            }
        }
    }
}

task<result<std::size_t>> read_exactly(ByteStream& stream, std::size_t count) {
    Bytes buffer(100'000);
    std::size_t total = 0;
    while (total < count) {
        ALKNET_CO_TRY(const std::size_t got, co_await stream.read(buffer));
        total += got;
    }
    co_return total;
}

TEST_P(ByteStreamContract, StopsTakingWhenNobodyReads) {
    const auto taken = run(fill(*first, noise(100'000)));
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_GT(*taken, 0U);
    EXPECT_LT(*taken, 64U << 20);
    EXPECT_EQ(run(read_exactly(*second, *taken)).value(), *taken);
    // And there is room again.
    ASSERT_TRUE(run(first->writable()));
    EXPECT_GT(first->try_write(noise(10)).value(), 0U);
}

TEST_P(ByteStreamContract, SaysThatNothingIsThereYet) {
    Bytes into(10);
    EXPECT_EQ(second->try_read(into).value(), std::nullopt);
    EXPECT_TRUE(run(first->write(noise(5))));
    ASSERT_TRUE(run(second->readable()));
    EXPECT_EQ(second->try_read(into).value(), 5U);
}

task<result<std::size_t>> read_for_a_moment(ByteStream& stream) {
    Bytes into(10);
    co_return co_await with_timeout(std::chrono::milliseconds(1), stream.read(into));
}

TEST_P(ByteStreamContract, AReadCanBeCancelled) {
    EXPECT_TRUE(run(read_for_a_moment(*second)).error().is(causes::kTimeout));
    // Nothing was lost by it.
    EXPECT_TRUE(run(first->write(noise(5))));
    Bytes into(10);
    EXPECT_EQ(run(second->read(into)).value(), 5U);
}

task<result<void>> write_for_a_moment(ByteStream& stream, Bytes data) {
    co_return co_await with_timeout(std::chrono::milliseconds(1), stream.write(data));
}

TEST_P(ByteStreamContract, AWriteCanBeCancelled) {
    EXPECT_TRUE(run(write_for_a_moment(*first, Bytes(64 << 20))).error().is(causes::kTimeout));
}

task<result<void>> wait_for_read(ByteStream& stream, std::optional<error>& failure) {
    Bytes into(10);
    const auto count = co_await stream.read(into);
    if (!count) {
        failure = count.error();
    }
    co_return result<void>{};
}

task<result<void>> stop_while_reading(Loop& loop, ByteStream& stream, bool reset,
                                      std::optional<error>& failure) {
    TaskScope scope(loop);
    scope.spawn(wait_for_read(stream, failure), "read");
    co_await loop.yield();
    co_await loop.yield();
    reset ? stream.reset(1) : stream.stop(1);
    co_return co_await scope.join();
}

TEST_P(ByteStreamContract, StoppingEndsAReadUnderWay) {
    std::optional<error> failure;
    ASSERT_TRUE(run(stop_while_reading(*loop, *second, false, failure)));
    ASSERT_TRUE(failure);
    EXPECT_TRUE(failure->is(causes::kClosed));
    Bytes into(1);
    EXPECT_TRUE(run(second->read(into)).error().is(causes::kClosed));
}

TEST_P(ByteStreamContract, AnEndCanBeDestroyed) {
    EXPECT_TRUE(run(first->write(noise(5))));
    EXPECT_TRUE(run(first->finish()));
    first.reset();
    Bytes arrived;
    EXPECT_TRUE(run(receive_all(*second, arrived)));
    EXPECT_EQ(arrived.size(), 5U);
}

TEST_P(ByteStreamContract, AResetIsNoEnd) {
    EXPECT_TRUE(run(first->write(noise(5))));
    first->reset(7);
    Bytes arrived;
    const auto read = run(receive_all(*second, arrived));
    EXPECT_EQ(read.has_value(), !has_resets());
    if (!read) {
        EXPECT_TRUE(read.error().is(causes::kReset));
    }
    EXPECT_TRUE(run(first->write(arrived)).has_value() == arrived.empty());
}

TEST_P(ByteStreamContract, DestroyingAnUnfinishedEndIsAReset) {
    EXPECT_TRUE(run(first->write(noise(5))));
    first.reset();
    Bytes arrived;
    const auto read = run(receive_all(*second, arrived));
    EXPECT_EQ(read.has_value(), !has_resets());
    // Sooner or later writing fails too.
    EXPECT_TRUE(run(second->write(Bytes(64 << 20))).error().is(causes::kReset));
}

}  // namespace
}  // namespace alknet::net
