#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/channel.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/gather.hpp>
#include <alknet/rt/race.hpp>
#include <alknet/testing/co_test.hpp>
#include <memory>

namespace alknet {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

task<result<int>> gives(Loop& loop, Duration after, int value) {
    ALKNET_CO_CHECK(co_await loop.sleep(after));
    co_return value;
}
task<result<int>> fails(Loop& loop, Duration after, const Cause& cause) {
    ALKNET_CO_CHECK(co_await loop.sleep(after));
    co_return fail(cause, "deliberate");
}
task<result<int>> throws(Loop& loop, Duration after) {
    ALKNET_CO_CHECK(co_await loop.sleep(after));
    throw bug("deliberate");
}
/// Takes its time to end when it is cancelled.
task<result<int>> lingers(Loop& loop, Duration time, bool& ended) {
    const auto outcome = co_await loop.sleep(hours(1));
    Event over;
    Timer timer(loop, [&over] { over.set(); });
    timer.arm_after(time);
    co_await over.wait_uncancellable();
    ended = true;
    ALKNET_CO_CHECK(outcome);
    co_return 0;
}

// ---- with_timeout ----

ALKNET_CO_TEST(WithTimeout, WhatEndsInTimeStands) {
    EXPECT_EQ((co_await with_timeout(seconds(2), gives(loop, seconds(1), 7))).value_or(0), 7);
    const auto failed =
        co_await with_timeout(seconds(2), fails(loop, seconds(1), causes::kProtocol));
    EXPECT_TRUE(!failed && failed.error().is(causes::kProtocol));
    EXPECT_EQ((co_await with_timeout(Duration::max(), gives(loop, seconds(1), 8))).value_or(0), 8);
}

ALKNET_CO_TEST(WithTimeout, WhatTakesTooLongIsCancelledAndAwaited) {
    bool ended = false;
    const TimePoint start = loop.now();
    const auto outcome = co_await with_timeout(seconds(2), lingers(loop, seconds(3), ended));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kTimeout));
    EXPECT_TRUE(ended);
    EXPECT_EQ(loop.now() - start, seconds(5));
}

ALKNET_CO_TEST(WithTimeout, ACancelFromOutsideIsNotATimeout) {
    const auto inner = [](Loop& l) -> task<result<int>> {
        return with_timeout(seconds(9), gives(l, hours(1), 1));
    };
    const auto outcome = co_await with_timeout(seconds(2), inner(loop));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kTimeout));
    Cancel cancel;
    cancel.request();
    const auto cancelled =
        co_await with_timeout(seconds(2), gives(loop, hours(1), 1)).under(cancel);
    EXPECT_TRUE(!cancelled && cancelled.error().is(causes::kCancelled));
}

ALKNET_CO_TEST(WithTimeout, KeepsTheCancelThatTheTaskWasGiven) {
    Cancel mine;
    Timer timer(loop, [&mine] { mine.request(); });
    timer.arm_after(seconds(1));
    const TimePoint start = loop.now();
    const auto outcome = co_await with_timeout(seconds(9), gives(loop, hours(1), 1).under(mine));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kCancelled));
    EXPECT_EQ(loop.now() - start, seconds(1));
}

// ---- race ----

ALKNET_CO_TEST(Race, TheFirstToEndWinsAndTheOthersAreAwaited) {
    bool ended = false;
    const TimePoint start = loop.now();
    const auto winner = co_await race(lingers(loop, seconds(1), ended), gives(loop, seconds(2), 7),
                                      gives(loop, seconds(3), 8));
    ALKNET_CO_ASSERT(winner.index() == 1);
    EXPECT_EQ(std::get<1>(winner).value_or(0), 7);
    EXPECT_TRUE(ended);
    EXPECT_EQ(loop.now() - start, seconds(3));
}

ALKNET_CO_TEST(Race, AFailureWinsToo) {
    const auto winner = co_await race(
        gives(loop, seconds(2), 7), fails(loop, seconds(1), causes::kReset), loop.sleep(hours(1)));
    ALKNET_CO_ASSERT(winner.index() == 1);
    EXPECT_TRUE(std::get<1>(winner).error().is(causes::kReset));
}

ALKNET_CO_TEST(Race, AnExceptionEndsIt) {
    bool caught = false;
    try {
        (void)co_await race(gives(loop, seconds(2), 7), throws(loop, seconds(1)));
    } catch (const bug&) {
        caught = true;
    }
    EXPECT_TRUE(caught);
}

ALKNET_CO_TEST(Race, OfManyGivesTheIndex) {
    std::vector<task<result<int>>> works;
    for (const int time : {5, 3, 4}) {
        works.push_back(gives(loop, seconds(time), time));
    }
    const auto winner = co_await race(std::move(works));
    EXPECT_EQ(winner.index, 1U);
    EXPECT_EQ(winner.outcome.value_or(0), 3);
}

task<result<int>> race_value(Loop& loop) {
    const auto winner = co_await race(gives(loop, hours(1), 1), gives(loop, hours(2), 2));
    co_return std::get<0>(winner);
}

ALKNET_CO_TEST(Race, CancellingItCancelsAll) {
    const TimePoint start = loop.now();
    const auto outcome = co_await with_timeout(seconds(1), race_value(loop));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kTimeout));
    EXPECT_EQ(loop.now() - start, seconds(1));
}

ALKNET_CO_TEST(Race, TheLoserOfADeadHeatHasTakenNothing) {
    Channel<int> left(4);
    Channel<int> right(4);
    const auto fill = [](Loop& l, Channel<int>& a, Channel<int>& b) -> task<result<void>> {
        ALKNET_CO_CHECK(co_await l.sleep(seconds(1)));
        EXPECT_TRUE(a.try_send(1));
        EXPECT_TRUE(b.try_send(2));
        co_return result<void>();
    };
    TaskScope scope(loop);
    scope.spawn(fill(loop, left, right), "fill");
    const auto winner = co_await race(right.recv(), left.recv());
    EXPECT_EQ(winner.index(), 1U);  // it was filled first
    EXPECT_EQ(left.size() + right.size(), 1U);
    EXPECT_EQ(right.try_recv().value_or(0), 2);
    ALKNET_CO_ASSERT_OK(co_await scope.join());
}

// ---- first_success ----

ALKNET_CO_TEST(FirstSuccess, AttemptsAreStaggered) {
    std::vector<task<result<int>>> attempts;
    attempts.push_back(gives(loop, seconds(10), 1));
    attempts.push_back(gives(loop, seconds(10), 2));
    attempts.push_back(gives(loop, seconds(1), 3));
    const FirstSuccessOptions options{.stagger = seconds(2), .decisive = {}};
    const TimePoint start = loop.now();
    const auto outcome = co_await first_success(std::move(attempts), options);
    EXPECT_EQ(outcome.value_or(0), 3);
    EXPECT_EQ(loop.now() - start, seconds(2 + 2 + 1));
}

ALKNET_CO_TEST(FirstSuccess, AFailureStartsTheNextAtOnce) {
    std::vector<task<result<int>>> attempts;
    attempts.push_back(fails(loop, milliseconds(100), causes::kUnreachable));
    attempts.push_back(fails(loop, milliseconds(0), causes::kTimeout));
    attempts.push_back(gives(loop, milliseconds(100), 3));
    const FirstSuccessOptions options{.stagger = seconds(2), .decisive = {}};
    const TimePoint start = loop.now();
    EXPECT_EQ((co_await first_success(std::move(attempts), options)).value_or(0), 3);
    EXPECT_EQ(loop.now() - start, milliseconds(200));
}

ALKNET_CO_TEST(FirstSuccess, IfAllFailTheFirstInTheListTells) {
    std::vector<task<result<int>>> attempts;
    attempts.push_back(fails(loop, seconds(5), causes::kUnreachable));
    attempts.push_back(fails(loop, seconds(1), causes::kResolve));
    const auto outcome = co_await first_success(std::move(attempts));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kUnreachable));
}

ALKNET_CO_TEST(FirstSuccess, ADecisiveFailureEndsIt) {
    std::vector<task<result<int>>> attempts;
    attempts.push_back(gives(loop, seconds(5), 1));
    attempts.push_back(fails(loop, seconds(1), causes::kPeerKeyMismatch));
    attempts.push_back(gives(loop, seconds(0), 3));
    const FirstSuccessOptions options{.stagger = seconds(2), .decisive = [](const error& failure) {
                                          return failure.is(causes::kPeerKeyMismatch);
                                      }};
    const TimePoint start = loop.now();
    const auto outcome = co_await first_success(std::move(attempts), options);
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kPeerKeyMismatch));
    EXPECT_EQ(loop.now() - start, seconds(3));
}

ALKNET_CO_TEST(FirstSuccess, CancellingItCancelsAll) {
    std::vector<task<result<int>>> attempts;
    attempts.push_back(gives(loop, hours(1), 1));
    attempts.push_back(gives(loop, hours(1), 2));
    const auto outcome = co_await with_timeout(seconds(3), first_success(std::move(attempts)));
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kTimeout));
}

ALKNET_CO_TEST(FirstSuccess, ALateSuccessIsDestroyed) {
    const auto holds = [](Loop& l, Duration after,
                          std::shared_ptr<int> value) -> task<result<std::shared_ptr<int>>> {
        (void)co_await l.sleep(after);  // succeeds although it is cancelled
        co_return value;
    };
    const auto first = std::make_shared<int>(1);
    const auto second = std::make_shared<int>(2);
    std::vector<task<result<std::shared_ptr<int>>>> attempts;
    attempts.push_back(holds(loop, seconds(1), first));
    attempts.push_back(holds(loop, seconds(9), second));
    {
        const auto outcome = co_await first_success(std::move(attempts));
        ALKNET_CO_ASSERT_OK(outcome);
        EXPECT_EQ(*outcome, first);
    }
    EXPECT_EQ(second.use_count(), 1);
}

// ---- gather ----

ALKNET_CO_TEST(Gather, GivesAllValuesInOrder) {
    const TimePoint start = loop.now();
    const auto values = co_await gather(gives(loop, seconds(3), 1), loop.sleep(seconds(1)),
                                        gives(loop, seconds(2), 2));
    ALKNET_CO_ASSERT_OK(values);
    EXPECT_EQ(std::get<0>(*values), 1);
    EXPECT_EQ(std::get<2>(*values), 2);
    EXPECT_EQ(loop.now() - start, seconds(3));
    EXPECT_TRUE(co_await gather());
}

ALKNET_CO_TEST(Gather, TheFirstFailureCancelsTheOthers) {
    bool ended = false;
    const TimePoint start = loop.now();
    const auto values =
        co_await gather(lingers(loop, seconds(1), ended), fails(loop, seconds(2), causes::kReset));
    EXPECT_TRUE(!values && values.error().is(causes::kReset));
    EXPECT_TRUE(ended);
    EXPECT_EQ(loop.now() - start, seconds(3));
}

ALKNET_CO_TEST(Gather, OfManyWorksTheSame) {
    std::vector<task<result<int>>> works;
    for (int i = 0; i < 5; ++i) {
        works.push_back(gives(loop, seconds(5 - i), i));
    }
    const auto values = co_await gather(std::move(works));
    ALKNET_CO_ASSERT_OK(values);
    EXPECT_EQ(*values, (std::vector{0, 1, 2, 3, 4}));

    std::vector<task<result<void>>> sleeps;
    sleeps.push_back(loop.sleep(seconds(1)));
    sleeps.push_back(loop.sleep(hours(1)));
    const auto slept = co_await with_timeout(seconds(2), gather(std::move(sleeps)));
    EXPECT_TRUE(!slept && slept.error().is(causes::kTimeout));
}

ALKNET_CO_TEST(Gather, AnExceptionEndsIt) {
    bool caught = false;
    try {
        (void)co_await gather(gives(loop, hours(1), 7), throws(loop, seconds(1)));
    } catch (const bug&) {
        caught = true;
    }
    EXPECT_TRUE(caught);
}

// ---- block_on ----

TEST(BlockOn, GivesTheValueOrTheException) {
    const SystemClock clock;
    const auto loop = *Loop::create(clock);
    EXPECT_EQ(block_on(*loop, gives(*loop, milliseconds(1), 3)).value_or(0), 3);
    EXPECT_THROW((void)block_on(*loop, throws(*loop, milliseconds(1))), bug);
    loop->stop();
    EXPECT_EQ(block_on(*loop, gives(*loop, milliseconds(1), 4)).value_or(0), 4);
    struct Nothing {
        static task<void> at_all() { co_return; }
    };
    block_on(*loop, Nothing::at_all());
}

}  // namespace
}  // namespace alknet
