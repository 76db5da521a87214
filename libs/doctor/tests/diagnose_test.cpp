// What the random pairs do not reach: the words of the verdicts, their order, and causes that the
// simulated world cannot bring about.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/doctor/diagnose.hpp>
#include <alknet/doctor/handler.hpp>

namespace alknet::doctor {
namespace {

using testing::HasSubstr;

WayReport way(Way which, Outcome outcome) {
    WayReport report;
    report.way = which;
    report.outcome = outcome;
    if (outcome == Outcome::connected) {
        report.answerer = Answerer::the_node;
        report.rtt_us = 20'000;
        report.up_bytes = report.down_bytes = kBulkBytes;
        report.up_us = report.down_us = 100'000;
    }
    return report;
}

PairReport pair_of(Outcome quic, Outcome tcp) {
    PairReport pair;
    pair.unix_ms_here = 1'800'000'000'000;
    pair.ways = {way(Way::quic_v4, quic), way(Way::tcp_v4, tcp)};
    return pair;
}

std::vector<std::string_view> causes_of(const PairReport& pair) {
    std::vector<std::string_view> ids;
    for (const Verdict& verdict : diagnose(pair)) {
        EXPECT_FALSE(verdict.what.empty() || verdict.remedy.empty());
        ids.push_back(verdict.cause->id);
    }
    return ids;
}

using Ids = std::vector<std::string_view>;

TEST(Diagnose, NothingIsWrongWithAPairThatWorks) {
    EXPECT_EQ(causes_of(pair_of(Outcome::connected, Outcome::connected)), Ids{});
    EXPECT_EQ(causes_of({}), Ids{causes::kClockWrong.id});
}

TEST(Diagnose, ProxiesThatAreNoWay) {
    for (const auto& [outcome, cause] : {std::pair(Outcome::proxy_auth, &causes::kProxyAuth),
                                         std::pair(Outcome::proxy_refused, &causes::kProxyRefused),
                                         std::pair(Outcome::proxy_down, &causes::kUnreachable),
                                         std::pair(Outcome::wrong_key, &causes::kTlsOpened),
                                         std::pair(Outcome::no_service, &causes::kNoCommonAlpn)}) {
        // Where nothing else leads out it is the cause of all, and the only one.
        PairReport pair = pair_of(Outcome::silent, Outcome::silent);
        pair.proxy_configured = true;
        pair.ways.push_back(way(Way::proxy, outcome));
        EXPECT_EQ(causes_of(pair), Ids{cause->id});
        EXPECT_EQ(diagnose(pair).front().damage, Damage::all);
        // Directly there may be no node; a proxy that could be asked knows more.
        pair = pair_of(Outcome::refused, Outcome::refused);
        pair.proxy_configured = true;
        pair.ways.push_back(way(Way::proxy, outcome));
        const bool unasked = outcome == Outcome::proxy_auth || outcome == Outcome::proxy_down;
        EXPECT_EQ(causes_of(pair),
                  unasked ? (Ids{cause->id, causes::kNodeDown.id}) : Ids{cause->id});
    }
    PairReport pair = pair_of(Outcome::connected, Outcome::connected);
    pair.proxy_configured = true;
    pair.ways.push_back(way(Way::proxy, Outcome::proxy_auth));
    EXPECT_EQ(causes_of(pair), Ids{causes::kProxyAuth.id});
    EXPECT_EQ(diagnose(pair).front().damage, Damage::quality);
}

TEST(Diagnose, AnotherKeyOnEachWayIsNoFaultOfTheProxy) {
    PairReport pair = pair_of(Outcome::wrong_key, Outcome::wrong_key);
    pair.ways.push_back(way(Way::proxy, Outcome::wrong_key));
    EXPECT_EQ(causes_of(pair), Ids{causes::kPeerKeyMismatch.id});
}

TEST(Diagnose, ANameThatOnlyTheProxyKnows) {
    PairReport pair;
    pair.unix_ms_here = 1'800'000'000'000;
    pair.not_resolved = "node.inside";
    EXPECT_EQ(causes_of(pair), Ids{causes::kResolve.id});
    pair.ways = {way(Way::proxy, Outcome::connected)};
    EXPECT_EQ(causes_of(pair), Ids{causes::kProxyNeeded.id});
    pair.ways = {way(Way::proxy, Outcome::proxy_auth)};
    EXPECT_EQ(causes_of(pair), (Ids{causes::kResolve.id, causes::kProxyAuth.id}));
}

TEST(Diagnose, WhoeverShowsACertificateInsteadOfTheKeyOpensTls) {
    for (const Outcome outcome : {Outcome::tls, Outcome::unverified, Outcome::wrong_key}) {
        PairReport pair = pair_of(Outcome::silent, outcome);
        pair.ways[1].answerer = Answerer::a_certificate;
        EXPECT_EQ(causes_of(pair).front(), causes::kTlsOpened.id);
        pair.ways[0].outcome = Outcome::connected;
        EXPECT_EQ(causes_of(pair), Ids{causes::kTlsOpened.id});
    }
}

TEST(Diagnose, ACertificateOnBothTransportsIsAnotherNode) {
    PairReport pair = pair_of(Outcome::wrong_key, Outcome::wrong_key);
    pair.ways[0].answerer = pair.ways[1].answerer = Answerer::a_certificate;
    EXPECT_EQ(causes_of(pair), Ids{causes::kPeerKeyMismatch.id});
}

TEST(Diagnose, TheProxyThatWorksIsTheWayOut) {
    PairReport pair = pair_of(Outcome::silent, Outcome::silent);
    pair.ways.push_back(way(Way::proxy, Outcome::connected));
    const auto verdicts = diagnose(pair);
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].cause, &causes::kProxyNeeded);
    EXPECT_EQ(verdicts[0].damage, Damage::one_way_of_several);
}

TEST(Diagnose, AMachineThatRefusesOneAndDropsTheOtherHasNoNode) {
    EXPECT_EQ(causes_of(pair_of(Outcome::silent, Outcome::refused)), Ids{causes::kNodeDown.id});
}

TEST(Diagnose, IPv6ThatIsDead) {
    PairReport pair = pair_of(Outcome::connected, Outcome::connected);
    pair.ways.push_back(way(Way::quic_v6, Outcome::silent));
    pair.ways.push_back(way(Way::tcp_v6, Outcome::silent));
    const auto verdicts = diagnose(pair);
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].cause, &causes::kNoAnswer);
    EXPECT_THAT(verdicts[0].what, HasSubstr("IPv6"));
    pair.ways[2].outcome = pair.ways[3].outcome = Outcome::no_route;
    EXPECT_EQ(causes_of(pair), Ids{});
}

TEST(Diagnose, AServiceThatIsNotForTcp) {
    const auto verdicts = diagnose(pair_of(Outcome::connected, Outcome::no_service));
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].cause, &causes::kNoCommonAlpn);
    EXPECT_THAT(verdicts[0].what, HasSubstr("over TCP"));
}

TEST(Diagnose, APortThatIsClosedWithoutARouter) {
    PairReport pair = pair_of(Outcome::connected, Outcome::connected);
    pair.there = Report();
    pair.there->ways = {way(Way::quic_v4, Outcome::refused)};
    const auto verdicts = diagnose(pair);
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].cause, &causes::kNotForwarded);
    EXPECT_THAT(verdicts[0].remedy, HasSubstr("open the port here"));
    pair.there->ways[0].outcome = Outcome::connected;
    EXPECT_EQ(causes_of(pair), Ids{});
}

TEST(Diagnose, WhatSpoilsAllComesFirstThenTheCheapest) {
    PairReport pair = pair_of(Outcome::connected, Outcome::silent);
    pair.unix_ms_there = pair.unix_ms_here + 2 * kClockToleranceMs;
    pair.ways[0].datagrams_sent = 30;
    pair.ways[0].datagrams_back = 20;
    EXPECT_EQ(causes_of(pair),
              (Ids{causes::kClockWrong.id, causes::kTcpBlocked.id, causes::kPathLoss.id}));
    pair.unix_ms_there = pair.unix_ms_here + kClockToleranceMs;
    pair.ways[0].datagrams_back = 27;
    EXPECT_EQ(causes_of(pair), Ids{causes::kTcpBlocked.id});
}

TEST(Diagnose, SlowIsNotHeldBack) {
    PairReport pair = pair_of(Outcome::connected, Outcome::connected);
    pair.ways[0].up_us = kSlowUs;  // and TCP takes a tenth
    EXPECT_EQ(causes_of(pair), Ids{});
    pair.ways[0].up_us = kSlowUs + 1;
    EXPECT_EQ(causes_of(pair), Ids{causes::kUdpPoliced.id});
}

TEST(Diagnose, EveryOutcomeAndWayHasAName) {
    for (std::uint8_t i = 0; i < kOutcomes; ++i) {
        EXPECT_FALSE(to_string(static_cast<Outcome>(i)).empty());
    }
    for (std::uint8_t i = 0; i < kWays; ++i) {
        EXPECT_FALSE(to_string(static_cast<Way>(i)).empty());
    }
}

TEST(Diagnose, ErrorsAsOutcomes) {
    EXPECT_EQ(outcome_of(error(causes::kHandshakeTimeout)), Outcome::silent);
    EXPECT_EQ(outcome_of(error(causes::kUnreachable)), Outcome::refused);
    EXPECT_EQ(outcome_of(error(causes::kInternal)), Outcome::other);
}

}  // namespace
}  // namespace alknet::doctor
