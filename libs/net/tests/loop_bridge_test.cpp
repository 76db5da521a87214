// A stream between two threads' loops.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/loop_bridge.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop_group.hpp>
#include <alknet/rt/scope.hpp>
#include <functional>
#include <optional>

#include "stream_fixture.hpp"

namespace alknet::net {
namespace {

/// What the far end does; it tells the near loop when it is through.
using FarWork = std::function<task<result<void>>(BiStream&)>;

struct Far {
    std::unique_ptr<BiStream> stream;
    std::optional<TaskScope> scope;
    result<void> outcome;
};

class LoopBridgeTest : public testing::Test {
protected:
    ~LoopBridgeTest() override {
        loops->run_on(1, [&] { far.scope.reset(); });
    }

    void start(FarWork work) {
        LoopBridge bridge = make_loop_bridge(*loop, loops->at(1));
        near = std::move(bridge.near);
        far.stream = std::move(bridge.far);
        loops->run_on(1, [&] {
            far.scope.emplace(loops->at(1));
            far.scope->spawn(run_far(std::move(work), far, *loop, ended), "far");
        });
    }
    static task<void> run_far(FarWork work, Far& far, Loop& near, Event& ended) {
        far.outcome = co_await work(*far.stream);
        far.stream.reset();
        near.post([&ended] { ended.set(); });
    }
    template <class T>
    T run(task<T> work) {
        return block_on(*loop, std::move(work));
    }
    result<void> far_outcome() {
        EXPECT_TRUE(run(ended.wait()));
        return far.outcome;
    }
    static task<result<void>> echo(BiStream& stream) {
        Bytes buffer(10'000);
        for (;;) {
            ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
            if (size == 0) {
                co_return co_await stream.finish();
            }
            ALKNET_CO_CHECK(co_await stream.write(BytesView(buffer).first(size)));
        }
    }
    static task<result<void>> nothing() { co_return result<void>{}; }
    /// Reads nothing of what comes, and ends when the other end has gone.
    static task<result<void>> wait_for_the_end(BiStream& stream) {
        while (co_await stream.write(noise(LoopBridge::kBufferBytes))) {
        }
        co_return result<void>{};
    }
    static task<result<void>> reset_and_stop(BiStream& stream) {
        stream.reset(7);
        stream.stop(8);
        const auto after = co_await stream.write(noise(1));
        EXPECT_TRUE(after.error().is(causes::kClosed));
        co_return result<void>{};
    }
    static task<result<void>> write_until_it_fails(BiStream& stream) {
        for (;;) {
            ALKNET_CO_CHECK(co_await stream.write(noise(1000)));
        }
    }
    static task<result<void>> say(BiStream& stream, Bytes words) {
        ALKNET_CO_CHECK(co_await stream.write(words));
        co_return co_await stream.finish();
    }
    static task<result<Bytes>> hear(BiStream& stream) {
        Bytes heard;
        Bytes buffer(3000);
        for (;;) {
            ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
            if (size == 0) {
                co_return heard;
            }
            heard.insert(heard.end(), buffer.begin(),
                         buffer.begin() + static_cast<std::ptrdiff_t>(size));
        }
    }
    static task<result<Bytes>> talk(Loop& loop, BiStream& stream, Bytes words) {
        TaskScope scope(loop);
        scope.spawn(say(stream, std::move(words)), "say");
        auto heard = co_await hear(stream);
        ALKNET_CO_CHECK(co_await scope.join());
        co_return heard;
    }

    const SystemClock clock;
    std::unique_ptr<Loop> loop = Loop::create(clock).value();
    std::unique_ptr<LoopGroup> loops = LoopGroup::start(*loop, 2).value();
    Event ended;
    std::unique_ptr<BiStream> near;
    Far far;
};

TEST_F(LoopBridgeTest, CarriesBothWaysWithBothEnds) {
    start(echo);
    const Bytes words = noise(3'000'000);
    const auto heard = run(talk(*loop, *near, words));
    ASSERT_TRUE(heard) << heard.error().message();
    EXPECT_EQ(*heard, words);
    EXPECT_TRUE(far_outcome());
}

TEST_F(LoopBridgeTest, HoldsAWriterBack) {
    start(wait_for_the_end);
    const Bytes words = noise(2 * LoopBridge::kBufferBytes);
    const auto written = run(with_timeout(std::chrono::milliseconds(50), near->write(words)));
    EXPECT_TRUE(!written && written.error().is(causes::kTimeout));
    near.reset();
    EXPECT_TRUE(far_outcome());
}

TEST_F(LoopBridgeTest, ResetAndStopCarryTheirCodes) {
    start(reset_and_stop);
    Bytes buffer(10);
    EXPECT_EQ(run(near->read(buffer)).error().code(), 7U);
    const auto refused = run(write_until_it_fails(*near));
    EXPECT_TRUE(refused.error().is(causes::kReset));
    EXPECT_EQ(refused.error().code(), 8U);
    near->stop(0);
    EXPECT_TRUE(run(near->read(buffer)).error().is(causes::kClosed));
    near.reset();
    EXPECT_TRUE(far_outcome());
}

TEST_F(LoopBridgeTest, WhatWasSaidBeforeAnEndGoesIsHeard) {
    start([](BiStream& stream) { return say(stream, noise(5000)); });
    EXPECT_TRUE(far_outcome());  // it is destroyed by now
    const auto heard = run(hear(*near));
    ASSERT_TRUE(heard);
    EXPECT_EQ(*heard, noise(5000));
    EXPECT_TRUE(run(near->write(noise(1))).error().is(causes::kClosed));
}

TEST_F(LoopBridgeTest, AnEndThatGoesEndsTheOther) {
    start([](BiStream&) { return nothing(); });
    Bytes buffer(10);
    EXPECT_TRUE(run(near->read(buffer)).error().is(causes::kClosed));
    EXPECT_TRUE(far_outcome());
}

}  // namespace
}  // namespace alknet::net
