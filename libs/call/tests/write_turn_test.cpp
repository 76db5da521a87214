// What tasks of one stream write at a time: in order, together where it is small, and lost by
// nobody but who gave up.
#include "../src/write_turn.hpp"

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "call_world.hpp"

namespace alknet::call {
namespace {

using std::chrono::milliseconds;

/// Keeps what was written, each write for itself, once `open` is set.
class Kept final : public BiStream {
public:
    task<result<std::size_t>> read(MutableBytes /*into*/) override { co_return 0; }
    task<result<void>> write(BytesView data) override {
        ALKNET_CO_CHECK(co_await open.wait());
        writes.emplace_back(as_text(data));
        co_return result<void>();
    }
    task<result<void>> finish() override {
        writes.emplace_back("FIN");
        co_return result<void>();
    }
    void reset(std::uint64_t /*code*/) noexcept override {}
    void stop(std::uint64_t /*code*/) noexcept override {}
    [[nodiscard]] std::uint64_t id() const noexcept override { return 0; }

    Event open;
    std::vector<std::string> writes;
};

task<void> write_into(WriteTurn& turn, Kept& stream, std::string text,
                      std::optional<result<void>>& outcome) {
    outcome = co_await turn.write(stream, to_bytes(as_bytes(text)));
}

struct Writers {
    Writers(Loop& loop, bool gathers) : turn(loop, gathers), scope(loop) {}

    std::optional<result<void>>& add(std::string text) {
        auto& outcome = outcomes.emplace_back();
        scope.spawn(write_into(turn, stream, std::move(text), outcome), "writer");
        return outcome;
    }

    Kept stream;
    WriteTurn turn;
    std::deque<std::optional<result<void>>> outcomes;
    TaskScope scope;
};

ALKNET_CO_TEST(CallWriteTurn, GathersWhatIsReadyInOneTurn) {
    Writers writers(loop, true);
    writers.stream.open.set();
    for (const char* text : {"a", "b", "c"}) {
        writers.add(text);
    }
    (void)co_await writers.scope.join();
    EXPECT_EQ(writers.stream.writes, std::vector<std::string>{"abc"});
    for (const auto& outcome : writers.outcomes) {
        EXPECT_TRUE(outcome && *outcome);
    }
}

ALKNET_CO_TEST(CallWriteTurn, WritesAtOnceWhereNothingIsGathered) {
    Writers writers(loop, false);
    writers.stream.open.set();
    writers.add("a");
    writers.add("b");
    (void)co_await writers.scope.join();
    EXPECT_EQ(writers.stream.writes, (std::vector<std::string>{"a", "b"}));
}

ALKNET_CO_TEST(CallWriteTurn, WritesTogetherWhatCameMeanwhileAndLittleOfItAtATime) {
    Writers writers(loop, false);
    writers.add("first");
    (void)co_await loop.sleep(milliseconds(1));
    const std::string large(40 << 10, 'x');
    for (int i = 0; i < 3; ++i) {
        writers.add(large);
    }
    writers.add("last");
    const std::string huge(1 << 20, 'y');
    writers.add(huge);
    (void)co_await loop.sleep(milliseconds(1));
    writers.stream.open.set();
    (void)co_await writers.scope.join();
    EXPECT_EQ(writers.stream.writes,
              (std::vector<std::string>{"first", large, large, large + "last", huge}));
}

ALKNET_CO_TEST(CallWriteTurn, LeavesOutWhoGaveUpBeforeItsTurn) {
    Writers writers(loop, false);
    writers.add("a");
    Cancel cancel;
    std::optional<result<void>> given_up;
    TaskScope other(loop);
    (void)co_await loop.sleep(milliseconds(1));
    auto waiting = write_into(writers.turn, writers.stream, "b", given_up);
    other.spawn(std::move(waiting).under(cancel), "gives up");
    writers.add("c");
    (void)co_await loop.sleep(milliseconds(1));
    cancel.request();
    (void)co_await other.join();
    ALKNET_CO_ASSERT(given_up.has_value());
    EXPECT_TRUE(given_up->error().is(causes::kCancelled));
    writers.stream.open.set();
    (void)co_await writers.scope.join();
    EXPECT_EQ(writers.stream.writes, (std::vector<std::string>{"a", "c"}));
}

ALKNET_CO_TEST(CallWriteTurn, FailsTheOthersWhenAWriteWasBrokenOff) {
    Writers writers(loop, true);
    Cancel cancel;
    std::optional<result<void>> broken_off;
    TaskScope other(loop);
    auto writing = write_into(writers.turn, writers.stream, "a", broken_off);
    other.spawn(std::move(writing).under(cancel), "is cancelled");
    const auto& carried = writers.add("b");
    (void)co_await loop.sleep(milliseconds(1));
    const auto& later = writers.add("c");
    cancel.request();
    (void)co_await other.join();
    (void)co_await writers.scope.join();
    ALKNET_CO_ASSERT(broken_off.has_value() && carried.has_value() && later.has_value());
    EXPECT_TRUE(broken_off->error().is(causes::kCancelled));
    EXPECT_TRUE((*carried).error().is(causes::kClosed));
    EXPECT_TRUE((*later).error().is(causes::kClosed));
    EXPECT_TRUE(writers.stream.writes.empty());
}

ALKNET_CO_TEST(CallWriteTurn, FinishesAfterWhatWaits) {
    Writers writers(loop, true);
    writers.add("a");
    writers.add("b");
    writers.scope.spawn(writers.turn.finish(writers.stream), "finish");
    (void)co_await loop.sleep(milliseconds(1));
    writers.stream.open.set();
    (void)co_await writers.scope.join();
    EXPECT_EQ(writers.stream.writes, (std::vector<std::string>{"ab", "FIN"}));
    EXPECT_TRUE((co_await writers.turn.write(writers.stream, to_bytes(as_bytes("c"))))
                    .error()
                    .is(causes::kClosed));
}

}  // namespace
}  // namespace alknet::call
