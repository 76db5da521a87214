#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/renewal.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/testing/temp_dir.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

using std::chrono::hours;

const WallTime kEnd = at(1'800'000'000);
constexpr Duration kMonth = hours(24 * 30);

PeerRecord bob() {
    PeerRecord record = peer("bob", {new_key()}, {"git:read"});
    record.expires = kEnd;
    record.renew = kMonth;
    return record;
}

const Cause* refused(const PeerRecord& peer, WallTime now) {
    const auto renewed = renewed_term(peer, now);
    return renewed ? nullptr : &renewed.error().cause();
}

TEST(Renewal, ReachesAsFarFromNowAsTheRecordSays) {
    EXPECT_EQ(renewed_term(bob(), kEnd - kExpiryWarning).value(), kEnd - kExpiryWarning + kMonth);
    EXPECT_EQ(renewed_term(bob(), kEnd).value(), kEnd + kMonth);
    EXPECT_EQ(renewed_term(bob(), kEnd - Duration(1)).value(), kEnd + kMonth) << "to the second";
    const WallTime last = kEnd + kExpiryGrace - Duration(1);
    EXPECT_EQ(renewed_term(bob(), last).value(), kEnd + kExpiryGrace + kMonth);
}

TEST(Renewal, IsForTheEndOfATermThatMayBeRenewed) {
    EXPECT_EQ(refused(bob(), kEnd - kExpiryWarning - Duration(1)), &causes::kRenewEarly);
    EXPECT_EQ(refused(bob(), at(0)), &causes::kRenewEarly);
    EXPECT_EQ(refused(bob(), kEnd + kExpiryGrace), &causes::kForbidden) << "it is nobody then";
    PeerRecord record = bob();
    record.renew = hours(1);
    const Duration half = std::chrono::minutes(30);
    EXPECT_EQ(refused(record, kEnd - half - Duration(1)), &causes::kRenewEarly) << "over and over";
    EXPECT_EQ(refused(record, kEnd - half), nullptr);
    record.renew = {};
    EXPECT_EQ(refused(record, kEnd), &causes::kForbidden);
    record = bob();
    record.renewable = false;
    EXPECT_EQ(refused(record, kEnd), &causes::kForbidden);
    record = bob();
    record.expires.reset();
    EXPECT_EQ(refused(record, kEnd), &causes::kForbidden);
    record = bob();
    record.enabled = false;
    EXPECT_EQ(refused(record, kEnd), &causes::kForbidden);
}

// Of alknet.toml, whose entries nobody writes to.
TEST(Renewal, CountsForAsLongAsTheEntryIsAsItWas) {
    const PeerRecord before = bob();
    const Renewal renewal{
        .peer = "bob", .key = before.fingerprints.front(), .was = kEnd, .expires = kEnd + kMonth};
    const auto end_of = [&](const PeerRecord& record, const Renewal& of) {
        PeerList list;
        list.peers = {record};
        list.renewals = {of};
        return directory(std::move(list))->peers().front().expires;
    };
    EXPECT_EQ(end_of(before, renewal), kEnd + kMonth);
    PeerRecord edited = before;
    edited.expires = kEnd + hours(1);
    EXPECT_EQ(end_of(edited, renewal), kEnd + hours(1));
    edited = before;
    edited.expires.reset();
    EXPECT_EQ(end_of(edited, renewal), std::nullopt);
    edited = before;
    edited.renew = {};
    EXPECT_EQ(end_of(edited, renewal), kEnd) << "it may not any more";
    edited = before;
    edited.fingerprints = {new_key()};
    EXPECT_EQ(end_of(edited, renewal), kEnd) << "somebody else of the same name";
    edited.fingerprints.push_back(renewal.key);
    EXPECT_EQ(end_of(edited, renewal), kEnd + kMonth);
    Renewal other = renewal;
    other.peer = "alice";
    EXPECT_EQ(end_of(before, other), kEnd);
    other = renewal;
    other.expires = kEnd - hours(1);
    EXPECT_EQ(end_of(before, other), kEnd) << "it never takes time away";
    // By tokens alone.
    edited = before;
    edited.fingerprints.clear();
    EXPECT_EQ(end_of(edited, renewal), kEnd);
    other = renewal;
    other.key.clear();
    EXPECT_EQ(end_of(edited, other), kEnd + kMonth);
    EXPECT_EQ(end_of(before, other), kEnd);
}

TEST(Renewal, IsKept) {
    const sim::TempDir directory;
    const auto state = store::Database::open(directory / kStateFile, state_options()).value();
    const Renewal first{.peer = "bob", .key = "ed25519:1", .was = at(10), .expires = at(20)};
    Renewal second = first;
    second.was = at(20);
    second.expires = at(30);
    ASSERT_TRUE(save_renewal(*state, first, at(5)));
    ASSERT_TRUE(save_renewal(*state, second, at(15)));
    EXPECT_EQ(load_peers(*state).value().renewals, std::vector<Renewal>{second});
    Renewal other = first;
    other.peer = "alice";
    other.expires = at(30) + kExpiryGrace + std::chrono::seconds(60);
    ASSERT_TRUE(save_renewal(*state, other, at(30) + kExpiryGrace));
    EXPECT_EQ(load_renewals(*state).value(), (std::vector<Renewal>{other, second}));
    ASSERT_TRUE(save_renewal(*state, other, at(31) + kExpiryGrace));
    EXPECT_EQ(load_renewals(*state).value(), std::vector<Renewal>{other}) << "bob's is over";
}

}  // namespace
}  // namespace alknet::identity
