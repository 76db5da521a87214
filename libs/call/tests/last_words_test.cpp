// A peer that answers and hangs up: what it had said counts, whatever was being written just then.
#include <algorithm>

#include "call_world.hpp"

namespace alknet::call {
namespace {

/// Takes one request, and answers it once nothing more can be written.
class HangsUp final : public BiStream {
public:
    task<result<std::size_t>> read(MutableBytes into) override {
        ALKNET_CO_CHECK(co_await hung_up_.wait());
        const std::size_t count = std::min(into.size(), answer_.size());
        std::ranges::copy(BytesView(answer_).first(count), into.begin());
        answer_.erase(answer_.begin(), answer_.begin() + static_cast<std::ptrdiff_t>(count));
        co_return count;
    }
    task<result<void>> write(BytesView data) override {
        if (!answer_.empty()) {
            hung_up_.set();
            co_return fail(causes::kReset);
        }
        FrameDecoder decoder(kFrameBytesMax);
        decoder.push(data);
        const auto text = decoder.next();
        const auto asked = decode_event(text.value().value());
        answer_ =
            encode_frame({.id = asked.value().id, .event = Responded{.output = "yes"}}).value();
        co_return result<void>();
    }
    task<result<void>> finish() override { co_return fail(causes::kReset); }
    void reset(std::uint64_t /*code*/) noexcept override { hung_up_.set(); }
    void stop(std::uint64_t /*code*/) noexcept override { hung_up_.set(); }
    [[nodiscard]] std::uint64_t id() const noexcept override { return 0; }

private:
    Bytes answer_;
    Event hung_up_;
};

task<void> call_into(CallClient& client, std::optional<result<Json>>& outcome) {
    outcome = co_await client.call("test/echo", {});
}

ALKNET_CO_TEST(CallClient, TakesAnswersThatCameBeforeItCouldNotWriteAnyMore) {
    const auto client = CallClient::create(
        loop, make_stream_connection(loop, std::make_unique<HangsUp>(), StreamConnectionOptions()));
    TaskScope scope(loop);
    std::optional<result<Json>> first;
    std::optional<result<Json>> second;
    scope.spawn(call_into(*client, first), "first");
    (void)co_await loop.sleep(std::chrono::milliseconds(1));
    const TimePoint before = loop.now();
    scope.spawn(call_into(*client, second), "second");
    (void)co_await scope.join();
    ALKNET_CO_ASSERT(first.has_value() && second.has_value());
    ALKNET_CO_ASSERT_OK(*first);
    EXPECT_EQ(**first, "yes");
    ALKNET_CO_ASSERT(!*second);
    EXPECT_LT(loop.now() - before, std::chrono::seconds(1)) << "its end is known at once";
    co_await client->close();
}

}  // namespace
}  // namespace alknet::call
