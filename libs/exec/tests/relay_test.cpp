#include "relay.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>
#include <string>

namespace alknet::exec {
namespace {

/// A peer and a program at the far ends of two streams.
struct Joined {
    explicit Joined(Loop& loop, net::MemoryStreamOptions program_end = {}) : scope(loop) {
        auto outer = net::make_memory_streams();
        peer = std::move(outer.first);
        peer_side = std::move(outer.second);
        auto inner = net::make_memory_streams({}, program_end);
        program_side = std::move(inner.first);
        program = std::move(inner.second);
        scope.spawn(join(), "relay");
    }
    task<void> join() {
        outcome = co_await relay(*peer_side, *program_side);
        peer_side.reset();
        program_side.reset();
    }

    std::unique_ptr<ByteStream> peer;
    std::unique_ptr<ByteStream> peer_side;
    std::unique_ptr<ByteStream> program_side;
    std::unique_ptr<ByteStream> program;
    std::optional<result<void>> outcome;
    TaskScope scope;
};

task<result<std::string>> read_all(BiStream& stream) {
    std::string all;
    Bytes buffer(1000);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
        if (size == 0) {
            co_return all;
        }
        all += as_text(BytesView(buffer).first(size));
    }
}

ALKNET_CO_TEST(Relay, CarriesBothWaysWithAnEndOfEach) {
    Joined joined(loop);
    EXPECT_TRUE(co_await joined.peer->write(as_bytes("question")));
    EXPECT_TRUE(co_await joined.peer->finish());
    EXPECT_EQ(co_await read_all(*joined.program), "question");
    EXPECT_FALSE(joined.outcome) << "the other direction goes on";
    EXPECT_TRUE(co_await joined.program->write(as_bytes("answer")));
    EXPECT_TRUE(co_await joined.program->finish());
    EXPECT_EQ(co_await read_all(*joined.peer), "answer");
    (void)co_await joined.scope.join();
    EXPECT_TRUE(joined.outcome && *joined.outcome);
}

ALKNET_CO_TEST(Relay, LetsTheProgramEndFirst) {
    Joined joined(loop);
    EXPECT_TRUE(co_await joined.program->write(as_bytes("hello")));
    EXPECT_TRUE(co_await joined.program->finish());
    EXPECT_EQ(co_await read_all(*joined.peer), "hello");
    EXPECT_TRUE(co_await joined.peer->write(as_bytes("still here")));
    EXPECT_TRUE(co_await joined.peer->finish());
    EXPECT_EQ(co_await read_all(*joined.program), "still here");
    (void)co_await joined.scope.join();
    EXPECT_TRUE(joined.outcome && *joined.outcome);
}

ALKNET_CO_TEST(Relay, HoldsThePeerBackWhereTheProgramReadsNothing) {
    Joined joined(loop);
    const Bytes much(4 << 20);
    const auto stuck = co_await with_timeout(std::chrono::seconds(1), joined.peer->write(much));
    EXPECT_FALSE(stuck);
    EXPECT_FALSE(joined.outcome);
    joined.scope.cancel();  // as when the connection goes
    (void)co_await joined.scope.join();
    EXPECT_TRUE(joined.outcome && !*joined.outcome &&
                joined.outcome->error().is(causes::kCancelled));
}

ALKNET_CO_TEST(Relay, EndsWhenThePeerVanishesAndTheProgramIsSilent) {
    Joined joined(loop);
    joined.peer->reset(1);
    joined.peer.reset();
    (void)co_await joined.scope.join();
    EXPECT_TRUE(joined.outcome && !*joined.outcome);
    EXPECT_FALSE(co_await read_all(*joined.program));
}

ALKNET_CO_TEST(Relay, ThatEndsInTheMiddleIsAnEndForThePeer) {
    Joined joined(loop);
    joined.program->reset(0);  // as when it dies
    joined.program->stop(0);
    EXPECT_EQ(co_await read_all(*joined.peer), "");
    // What the peer still says is wanted no more.
    result<void> written;
    while (written) {
        written = co_await joined.peer->write(as_bytes("anybody?"));
    }
    EXPECT_TRUE(written.error().is(causes::kReset));
    (void)co_await joined.scope.join();
    EXPECT_TRUE(joined.outcome && *joined.outcome);
}

}  // namespace
}  // namespace alknet::exec
