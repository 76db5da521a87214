#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/signals.hpp>
#include <array>

namespace alknet {
namespace {

constexpr std::array kNumbers = {SIGHUP, SIGTERM};

class SignalsTest : public testing::Test {
protected:
    static bool blocked(int number) {
        sigset_t now;
        pthread_sigmask(SIG_SETMASK, nullptr, &now);
        return sigismember(&now, number) == 1;
    }
    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
};

TEST_F(SignalsTest, AreAwaited) {
    const auto signals = *Signals::open(*loop, kNumbers);
    raise(SIGTERM);
    EXPECT_EQ(block_on(*loop, signals->next()).value_or(0), SIGTERM);
    loop->post([this] { loop->post([] { raise(SIGHUP); }); });
    EXPECT_EQ(block_on(*loop, signals->next()).value_or(0), SIGHUP);
}

TEST_F(SignalsTest, OneThatComesTwiceComesOnce) {
    const auto signals = *Signals::open(*loop, kNumbers);
    raise(SIGHUP);
    raise(SIGHUP);
    EXPECT_EQ(block_on(*loop, signals->next()).value_or(0), SIGHUP);
    const auto none = block_on(*loop, with_timeout(std::chrono::milliseconds(1), signals->next()));
    EXPECT_TRUE(!none && none.error().is(causes::kTimeout));
}

TEST_F(SignalsTest, TheEndForgetsWhatCameAndGivesTheMaskBack) {
    EXPECT_FALSE(blocked(SIGTERM));
    {
        const auto signals = *Signals::open(*loop, kNumbers);
        EXPECT_TRUE(blocked(SIGTERM));
        raise(SIGTERM);
    }
    EXPECT_FALSE(blocked(SIGTERM));
}

TEST_F(SignalsTest, WhatIsNoSignalIsAnError) {
    const std::array none = {-1};
    const auto signals = Signals::open(*loop, none);
    EXPECT_TRUE(!signals && signals.error().is(causes::kIo));
}

}  // namespace
}  // namespace alknet
