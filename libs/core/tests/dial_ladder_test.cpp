// The ladder as a table, and the race up it, without a clock.
#include "dial_ladder.hpp"

#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>

namespace alknet {
namespace {

using std::chrono::milliseconds;

const auto kFourA = SocketAddress::v4({192, 0, 2, 1}, 1);
const auto kFourB = SocketAddress::v4({192, 0, 2, 2}, 1);
const auto kSix = SocketAddress::v6({0x20, 1}, 1);

DialAttempt step(Rung rung, SocketAddress remote, int after_ms) {
    return {.rung = rung, .remote = remote, .after = milliseconds(after_ms)};
}
using Steps = std::vector<DialAttempt>;

TEST(DialLadder, RacesQuicThenTcpThenTheProxy) {
    LadderOptions options;
    options.proxy = true;
    const Steps expected = {step(Rung::quic_v6, kSix, 0),     step(Rung::quic_v4, kFourA, 50),
                            step(Rung::tcp_v6, kSix, 200),    step(Rung::tcp_v4, kFourA, 250),
                            step(Rung::quic_v4, kFourB, 300), step(Rung::tcp_v4, kFourB, 500),
                            step(Rung::proxy, {}, 500)};
    EXPECT_EQ(dial_ladder({kFourA, kSix, kFourB}, options), expected);
}

TEST(DialLadder, WaitsForNoRungThatNothingLeadsTo) {
    EXPECT_EQ(dial_ladder({kFourA}, {}),
              Steps({step(Rung::quic_v4, kFourA, 0), step(Rung::tcp_v4, kFourA, 200)}));
    LadderOptions tcp;
    tcp.quic = false;
    EXPECT_EQ(dial_ladder({kFourA}, tcp), Steps({step(Rung::tcp_v4, kFourA, 0)}));
    LadderOptions proxy;
    proxy.proxy = true;
    EXPECT_EQ(dial_ladder({}, proxy), Steps({step(Rung::proxy, {}, 0)}));
    EXPECT_TRUE(dial_ladder({}, {}).empty());
}

TEST(DialLadder, LeavesOutWhatIsNotWanted) {
    LadderOptions six;
    six.v4 = false;
    EXPECT_EQ(dial_ladder({kFourA, kSix}, six),
              Steps({step(Rung::quic_v6, kSix, 0), step(Rung::tcp_v6, kSix, 200)}));
    LadderOptions above;
    above.better_than = Rung::tcp_v4;
    above.proxy = true;
    EXPECT_EQ(dial_ladder({kFourA}, above), Steps({step(Rung::quic_v4, kFourA, 0)}));
}

TEST(DialLadder, BeginsWithWhatWorkedHereBefore) {
    LadderOptions options;
    options.remembered = Rung::tcp_v4;
    options.proxy = true;
    EXPECT_EQ(dial_ladder({kFourA, kSix}, options),
              Steps({step(Rung::tcp_v4, kFourA, 0), step(Rung::quic_v6, kSix, 200),
                     step(Rung::quic_v4, kFourA, 250), step(Rung::tcp_v6, kSix, 400),
                     step(Rung::proxy, {}, 500)}));
    options.remembered = Rung::quic_v4;
    EXPECT_EQ(dial_ladder({kFourA}, options),
              Steps({step(Rung::quic_v4, kFourA, 0), step(Rung::tcp_v4, kFourA, 250),
                     step(Rung::proxy, {}, 500)}));
}

TEST(DialLadder, SlowQuicComesAfterTcp) {
    LadderOptions options;
    options.quic_demoted = true;
    EXPECT_EQ(dial_ladder({kFourA}, options),
              Steps({step(Rung::tcp_v4, kFourA, 0), step(Rung::quic_v4, kFourA, 800)}));
}

TEST(DialLadder, BeginsWithWhatIsPreferred) {
    LadderOptions options;
    options.proxy = true;
    options.prefer = RungKind::tcp;
    EXPECT_EQ(dial_ladder({kFourA, kSix}, options),
              Steps({step(Rung::tcp_v6, kSix, 0), step(Rung::tcp_v4, kFourA, 50),
                     step(Rung::quic_v6, kSix, 3300), step(Rung::quic_v4, kFourA, 3350),
                     step(Rung::proxy, {}, 3800)}));
    options.prefer = RungKind::proxy;
    EXPECT_EQ(dial_ladder({kFourA}, options).front(), step(Rung::proxy, {}, 0));
    options.prefer = RungKind::quic;
    EXPECT_EQ(dial_ladder({kFourA}, options),
              Steps({step(Rung::quic_v4, kFourA, 0), step(Rung::tcp_v4, kFourA, 3700),
                     step(Rung::proxy, {}, 3950)}));
    // A stream does not leave the preferred way for one that is better to others.
    options.prefer = RungKind::tcp;
    options.better_than = Rung::tcp_v4;
    EXPECT_EQ(dial_ladder({kFourA, kSix}, options), Steps({step(Rung::tcp_v6, kSix, 0)}));
    options.better_than = Rung::quic_v6;
    EXPECT_EQ(dial_ladder({kFourA}, options), Steps({step(Rung::tcp_v4, kFourA, 0)}));
}

TEST(DialLadder, AtOnceMeansAll) {
    LadderOptions options;
    options.at_once = true;
    for (const DialAttempt& attempt : dial_ladder({kFourA, kSix, kFourB}, options)) {
        EXPECT_EQ(attempt.after, Duration::zero());
    }
}

TEST(DialLadder, TriesABoundedNumberOfAddresses) {
    const std::vector<SocketAddress> many(100, kFourA);
    EXPECT_EQ(dial_ladder(many, {}).size(), 2 * Dialer::kAddressesMax);
}

TEST(DialRace, BeginsEachInItsTime) {
    DialRace race(dial_ladder({kFourA}, {}));
    EXPECT_FALSE(race.lost());
    EXPECT_EQ(race.begin({})->rung, Rung::quic_v4);
    EXPECT_FALSE(race.begin(milliseconds(199)));
    EXPECT_EQ(race.next(), milliseconds(200));
    EXPECT_EQ(race.begin(milliseconds(200))->rung, Rung::tcp_v4);
    EXPECT_FALSE(race.next());
    race.failed();
    EXPECT_FALSE(race.lost());
    race.failed();
    EXPECT_TRUE(race.lost());
}

TEST(DialRace, GoesOnAtOnceWhenEverythingHasFailed) {
    DialRace race(dial_ladder({kFourA}, {}));
    ASSERT_TRUE(race.begin({}));
    race.failed();
    EXPECT_FALSE(race.lost());  // TCP was not asked
    EXPECT_EQ(race.begin(milliseconds(1))->rung, Rung::tcp_v4);
}

TEST(DialRace, AnEmptyLadderIsLost) {
    EXPECT_TRUE(DialRace({}).lost());
}

TEST(Rungs, HaveNames) {
    for (const Rung rung : kRungs) {
        EXPECT_EQ(parse_rung(to_string(rung)), rung);
    }
    EXPECT_FALSE(parse_rung("quic"));
    EXPECT_FALSE(parse_rung(""));
}

TEST(DialLadder, AnAnswerTellsMoreThanSilence) {
    const auto rank = [](const Cause& cause) { return dial_error_rank(error(cause)); };
    EXPECT_LT(rank(causes::kUnreachable), rank(causes::kHandshakeTimeout));
    EXPECT_LT(rank(causes::kHandshakeTimeout), rank(causes::kTls));
    EXPECT_LT(rank(causes::kTls), rank(causes::kNoCommonAlpn));
    EXPECT_LT(rank(causes::kNoCommonAlpn), rank(causes::kPeerUnverified));
    EXPECT_LT(rank(causes::kPeerUnverified), rank(causes::kPeerKeyMismatch));
    EXPECT_LT(rank(causes::kPeerKeyMismatch), rank(causes::kInternal));
}

}  // namespace
}  // namespace alknet
