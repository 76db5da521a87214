#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>
#include <vector>

#include "ssh/forwards.hpp"

namespace alknet::app {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

/// Servers that cannot be had, and what is told about them.
struct Failing {
    explicit Failing(std::vector<error> in_turn) : failures(std::move(in_turn)) {}

    task<result<std::shared_ptr<SshWay>>> connect() {
        const error why = failures.at(std::min(attempts++, failures.size() - 1));
        co_return unexpected(why);
    }
    [[nodiscard]] ForwardsOptions options(bool fail_fast = false) {
        ForwardsOptions options{.forwards = {}, .connect = {}, .tell = {}};
        options.connect = [this] { return connect(); };
        options.tell = [this](const ForwardNews& news) {
            EXPECT_EQ(news.state, ForwardNews::State::lost);
            delays.push_back(std::chrono::duration_cast<seconds>(*news.again).count());
        };
        options.fail_fast = fail_fast;
        return options;
    }

    std::vector<error> failures;
    std::size_t attempts = 0;
    std::vector<std::int64_t> delays;
    std::unique_ptr<net::Network> network = net::make_system_network();
};

ALKNET_CO_TEST(SshForwards, TriesAgainLessAndLessOften) {
    Failing server({error(causes::kUnreachable)});
    Forwards forwards(loop, *server.network, server.options());
    const auto ended = co_await with_timeout(seconds(125), forwards.run());
    EXPECT_TRUE(!ended && ended.error().is(causes::kTimeout));
    EXPECT_THAT(server.delays, ElementsAre(1, 2, 4, 8, 16, 30, 30, 30, 30));
}

ALKNET_CO_TEST(SshForwards, WhatAnotherAttemptCannotMendEndsIt) {
    for (const Cause* const cause : {&causes::kLoginFailed, &causes::kPeerKeyMismatch,
                                     &causes::kAddressInvalid, &causes::kUnknownPeer}) {
        Failing server({error(causes::kUnreachable), error(*cause)});
        Forwards forwards(loop, *server.network, server.options());
        const auto ended = co_await forwards.run();
        EXPECT_TRUE(!ended && ended.error().is(*cause)) << cause->id;
        EXPECT_EQ(server.attempts, 2U);
    }
}

ALKNET_CO_TEST(SshForwards, WhoeverWantsToFailFastDoes) {
    Failing server({error(causes::kUnreachable)});
    Forwards forwards(loop, *server.network, server.options(true));
    const auto ended = co_await forwards.run();
    EXPECT_TRUE(!ended && ended.error().is(causes::kUnreachable));
    EXPECT_TRUE(server.delays.empty());
}

}  // namespace
}  // namespace alknet::app
