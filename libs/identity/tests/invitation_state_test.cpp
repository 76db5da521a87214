// Invitations in state.db: who gets in, who does not, and what is kept of both.
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/join_frames.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <csignal>

#include "invitation_support.hpp"

namespace alknet::identity {
namespace {

using Kind = ClaimOutcome::Kind;

class InvitationState : public testing::Test {
protected:
    void SetUp() override { reopen(); }
    void reopen() {
        state_.reset();
        auto opened = store::Database::open(directory_ / kStateFile, state_options());
        ASSERT_TRUE(opened) << opened.error().message();
        state_ = std::move(*opened);
    }
    result<void> add(const InvitationRecord& record, WallTime now = at(0)) {
        return state_->transaction(
            [&](store::Database& state) { return add_invitation(state, record, now); });
    }
    ClaimOutcome claim(const ClaimAttempt& attempt) {
        auto outcome = state_->transaction(
            [&](store::Database& state) { return claim_invitation(state, fixed(), attempt); });
        EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message());
        return outcome ? *outcome : ClaimOutcome();
    }
    ClaimOutcome look(const InvitationRecord& record, const NodeId& key, WallTime now = at(1)) {
        return look_at_claim(*state_, record.id, key.fingerprint(), now).value();
    }
    result<PeerRecord> confirm(const std::string& code, WallTime now = at(1)) {
        return state_->transaction(
            [&](store::Database& state) { return confirm_claim(state, fixed(), code, now); });
    }
    ClaimAttempt attempt(int number, const NodeId& key, const std::string& name = "bob",
                         const std::string& code = "123456") {
        return {
            .secret = secret_of(number), .joiner = key, .name = name, .code = code, .now = at(1)};
    }
    std::vector<PeerRecord> peers() { return load_peers(*state_).value().peers; }
    InvitationRecord only() { return load_invitations(*state_).value().at(0); }

    sim::TempDir directory_;
    std::unique_ptr<store::Database> state_;
    FixedPeers fixed() const {
        FixedPeers fixed = more_;
        fixed.list = std::make_shared<const PeerList>(fixed_);
        return fixed;
    }

    PeerList fixed_;
    FixedPeers more_;
    const NodeId bob_ = NodeKey::generate()->id();
    const NodeId eve_ = NodeKey::generate()->id();
};

TEST_F(InvitationState, IsKeptAsItWas) {
    InvitationRecord record = invitation(1, {"call:echo", "git:read:*"});
    record.name = "bob";
    record.only_for = bob_.openssh_fingerprint();
    record.confirm = true;
    record.uses_left = 3;
    ASSERT_TRUE(add(record));
    reopen();
    EXPECT_EQ(load_invitations(*state_).value(), std::vector<InvitationRecord>{record});
    EXPECT_TRUE(remove_invitation(*state_, record.id).value());
    EXPECT_FALSE(remove_invitation(*state_, record.id).value());
    EXPECT_TRUE(load_invitations(*state_).value().empty());
}

TEST_F(InvitationState, LetsSomebodyInOnce) {
    const InvitationRecord record = invitation(1, {"call:echo", "git:read:*"});
    ASSERT_TRUE(add(record));
    const ClaimOutcome outcome = claim(attempt(1, bob_));
    EXPECT_EQ(outcome.kind, Kind::granted);
    EXPECT_EQ(outcome.name, "bob");
    EXPECT_EQ(outcome.scopes, (std::vector<std::string>{"call:echo", "git:read:*"}));
    const auto all = peers();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].fingerprints, std::vector<std::string>{bob_.fingerprint()});
    EXPECT_EQ(all[0].grants.size(), 2U);
    EXPECT_EQ(only().uses_left, 0U);

    // Whoever has lost the answer gets it again, and nothing else happens.
    EXPECT_EQ(claim(attempt(1, bob_, "other")).name, "bob");
    ClaimAttempt late = attempt(1, bob_);
    late.now = at(5000);
    EXPECT_EQ(claim(late).kind, Kind::granted);
    EXPECT_EQ(peers().size(), 1U);
    EXPECT_EQ(only().alarms, 0U);
    // But not after the owner has thrown them out.
    ASSERT_TRUE(remove_peer(*state_, all[0].id).value());
    EXPECT_EQ(claim(attempt(1, bob_)).kind, Kind::refused);
    EXPECT_TRUE(peers().empty());
}

// A forwarding rule, an import or an assertion is about whoever has a name.
TEST_F(InvitationState, GivesNobodyANameThatBringsRights) {
    more_.names = {"gateway"};
    fixed_.assertions.push_back({.peer = "auditor",
                                 .wanted = scope("git:write"),
                                 .allow = false,
                                 .origin = {.file = "alknet.toml", .line = 4}});
    InvitationRecord many = invitation(1);
    many.uses_left = 5;
    ASSERT_TRUE(add(many));
    for (const char* name : {"gateway", "GATEWAY", "gatevvay", "auditor"}) {
        const NodeId key = NodeKey::generate()->id();
        EXPECT_EQ(claim(attempt(1, key, name)).name,
                  "joined-" + key.fingerprint().substr(std::string_view("ed25519:").size(), 16))
            << name;
    }
    EXPECT_EQ(claim(attempt(1, bob_, "gateway2")).name, "gateway2");
    // What its owner has said himself holds.
    InvitationRecord named = invitation(2);
    named.name = "gateway";
    ASSERT_TRUE(add(named));
    EXPECT_EQ(claim(attempt(2, eve_, "eve")).name, "gateway");
}

TEST_F(InvitationState, FitsWhatUndoingAChangeLeadsBackTo) {
    UndonePeers before;
    before.list.peers = {peer("bob", {eve_.fingerprint()})};
    before.names = {"gateway"};
    std::size_t stored = 0;
    more_.undone = [&](const PeerList& list) -> result<std::optional<UndonePeers>> {
        stored = list.peers.size();
        return before;
    };
    InvitationRecord many = invitation(1);
    many.uses_left = 3;
    ASSERT_TRUE(add(many));
    // The names are taken for as long as that may come back.
    EXPECT_TRUE(claim(attempt(1, bob_, "bob")).name.starts_with("joined-"));
    EXPECT_TRUE(
        claim(attempt(1, NodeKey::generate()->id(), "gateway")).name.starts_with("joined-"));
    EXPECT_EQ(stored, 1U);
    // Nor does a key become somebody else's: what would be undone had it.
    const ClaimOutcome outcome = claim(attempt(1, eve_, "eve"));
    EXPECT_EQ(outcome.kind, Kind::refused);
    EXPECT_FALSE(outcome.alarm);
    EXPECT_NE(outcome.why.find("were it undone"), std::string::npos) << outcome.why;
    EXPECT_EQ(only().uses_left, 1U);
    EXPECT_EQ(peers().size(), 2U);
    more_.undone = [](const PeerList&) -> result<std::optional<UndonePeers>> {
        return std::nullopt;
    };
    EXPECT_EQ(claim(attempt(1, eve_, "eve")).kind, Kind::granted);
}

TEST_F(InvitationState, ConfirmsNobodyWhoWouldNotFitWhatIsUndone) {
    InvitationRecord record = invitation(1);
    record.confirm = true;
    ASSERT_TRUE(add(record));
    EXPECT_EQ(claim(attempt(1, eve_, "eve", "111111")).kind, Kind::waiting);
    more_.undone = [&](const PeerList&) -> result<std::optional<UndonePeers>> {
        UndonePeers before;
        before.list.peers = {peer("carol", {eve_.fingerprint()})};
        return before;
    };
    const auto refused = confirm("111111");
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kConfigPending)) << refused.error().message();
    EXPECT_TRUE(peers().empty());
    more_.undone = {};
    EXPECT_TRUE(confirm("111111"));
}

TEST_F(InvitationState, NeedsAConfirmationForWhatHasBecomeAProgramsScope) {
    ASSERT_TRUE(add(invitation(1, {"greeter:use"})));
    more_.programs = {scope("greeter:use")};
    const ClaimOutcome outcome = claim(attempt(1, bob_));
    EXPECT_EQ(outcome.kind, Kind::refused);
    EXPECT_NE(outcome.why.find("--confirm"), std::string::npos) << outcome.why;
    more_.programs = {scope("greeter:use:all")};
    EXPECT_EQ(claim(attempt(1, bob_)).kind, Kind::granted);
}

TEST_F(InvitationState, KeepsTheTermOfWhoeverJoins) {
    InvitationRecord record = invitation(1);
    record.peer_expires = at(2'000'000'000);
    record.peer_renew = std::chrono::hours(24);
    ASSERT_TRUE(add(record));
    EXPECT_EQ(only().peer_expires, record.peer_expires);
    EXPECT_EQ(only().peer_renew, record.peer_renew);
    EXPECT_EQ(claim(attempt(1, bob_)).kind, Kind::granted);
    EXPECT_EQ(peers().at(0).expires, record.peer_expires);
    EXPECT_EQ(peers().at(0).renew, record.peer_renew);
}

TEST_F(InvitationState, RaisesAnAlarmForASecondUse) {
    ASSERT_TRUE(add(invitation(1)));
    EXPECT_EQ(claim(attempt(1, eve_, "eve")).kind, Kind::granted);
    ClaimAttempt second = attempt(1, bob_);
    for (const WallTime now : {at(1), at(2000)}) {
        second.now = now;
        const ClaimOutcome outcome = claim(second);
        EXPECT_EQ(outcome.kind, Kind::refused);
        EXPECT_TRUE(outcome.alarm);
    }
    EXPECT_EQ(only().alarms, 2U);
    EXPECT_EQ(peers().size(), 1U);
}

TEST_F(InvitationState, IsRefusedWhereItIsNotGood) {
    InvitationRecord bobs = invitation(1);
    bobs.only_for = bob_.openssh_fingerprint();
    ASSERT_TRUE(add(bobs));
    const ClaimOutcome other = claim(attempt(1, eve_));
    EXPECT_TRUE(other.kind == Kind::refused && other.alarm);
    const ClaimOutcome unknown = claim(attempt(2, bob_));
    EXPECT_TRUE(unknown.kind == Kind::refused && !unknown.alarm && unknown.invitation.empty());
    ClaimAttempt late = attempt(1, bob_);
    late.now = at(1000);
    const ClaimOutcome ended = claim(late);
    EXPECT_TRUE(ended.kind == Kind::refused && !ended.alarm);
    EXPECT_TRUE(peers().empty());
    EXPECT_EQ(only().uses_left, 1U);
    late.now = at(999);
    EXPECT_EQ(claim(late).kind, Kind::granted);
}

TEST_F(InvitationState, TellsWhoIsKnownAlready) {
    for (const std::string& form : {bob_.fingerprint(), bob_.openssh_fingerprint()}) {
        fixed_.peers = {peer("robert", {form})};
        const InvitationRecord record = invitation(1);
        ASSERT_TRUE(add(record));
        EXPECT_EQ(claim(attempt(1, bob_)).kind, Kind::known);
        EXPECT_EQ(only().uses_left, 1U);
        EXPECT_TRUE(peers().empty());
        ASSERT_TRUE(remove_invitation(*state_, record.id));
    }
}

TEST_F(InvitationState, GivesNobodyANameThatLooksLikeAnother) {
    fixed_.peers = {peer("bob", {new_key()})};
    InvitationRecord record = invitation(1);
    record.uses_left = 4;
    ASSERT_TRUE(add(record));
    EXPECT_EQ(claim(attempt(1, eve_, "B0B")).name, "joined-" + eve_.hex().substr(0, 16));
    EXPECT_EQ(claim(attempt(1, bob_, "alice")).name, "alice");
    const NodeId third = NodeKey::generate()->id();
    EXPECT_EQ(claim(attempt(1, third, "aIice")).name, "joined-" + third.hex().substr(0, 16));
    InvitationRecord named = invitation(2);
    named.name = "dave";
    ASSERT_TRUE(add(named));
    EXPECT_EQ(claim(attempt(2, NodeKey::generate()->id(), "zoe")).name, "dave");
    EXPECT_EQ(peers().size(), 4U);
}

TEST_F(InvitationState, GivesNobodyWhatTheOwnerHasRuledOut) {
    InvitationRecord record = invitation(1, {"git:write:site"});
    record.name = "joiner";
    ASSERT_TRUE(add(record));
    fixed_.assertions.push_back({.peer = "joiner",
                                 .wanted = scope("git:write:site"),
                                 .allow = false,
                                 .origin = {.file = "alknet.toml", .line = 7}});
    const auto refused = state_->transaction([&](store::Database& state) {
        return claim_invitation(state, fixed(), attempt(1, bob_, "joiner"));
    });
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kAssertionFailed));
    EXPECT_TRUE(peers().empty());
    EXPECT_EQ(only().uses_left, 1U);
}

TEST_F(InvitationState, CountsItsUses) {
    InvitationRecord record = invitation(1);
    record.uses_left = 3;
    ASSERT_TRUE(add(record));
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(
            claim(attempt(1, NodeKey::generate()->id(), "guest" + std::to_string(i + 4))).kind,
            Kind::granted);
    }
    EXPECT_TRUE(claim(attempt(1, bob_)).alarm);
    EXPECT_EQ(peers().size(), 3U);
}

TEST_F(InvitationState, GrantsNothingBeforeItIsConfirmed) {
    InvitationRecord record = invitation(1, {"ssh:shell"});
    EXPECT_FALSE(add(record));  // not without
    record.confirm = true;
    ASSERT_TRUE(add(record));
    EXPECT_EQ(claim(attempt(1, eve_, "eve", "666666")).kind, Kind::waiting);
    EXPECT_EQ(claim(attempt(1, bob_)).kind, Kind::waiting);
    EXPECT_TRUE(peers().empty());
    EXPECT_EQ(look(record, bob_).kind, Kind::waiting);
    EXPECT_EQ(only().uses_left, 1U);

    const auto wrong = confirm("123457");
    EXPECT_TRUE(!wrong && wrong.error().is(causes::kUsage));
    EXPECT_FALSE(confirm(""));
    EXPECT_FALSE(confirm("123456", at(1000)));
    EXPECT_TRUE(peers().empty());
    const auto right = confirm("123456");
    ASSERT_TRUE(right);
    EXPECT_EQ(right->fingerprints, std::vector<std::string>{bob_.fingerprint()});
    EXPECT_EQ(peers().size(), 1U);
    const ClaimOutcome granted = look(record, bob_);
    EXPECT_TRUE(granted.kind == Kind::granted && granted.name == "bob");
    // The thief, who was first, has come for nothing.
    EXPECT_EQ(look(record, eve_).kind, Kind::refused);
    EXPECT_FALSE(confirm("666666"));
    EXPECT_FALSE(confirm("123456"));
}

TEST_F(InvitationState, ThatWasTakenBackOrHasEndedIsNotConfirmed) {
    InvitationRecord record = invitation(1);
    record.confirm = true;
    ASSERT_TRUE(add(record));
    EXPECT_EQ(claim(attempt(1, bob_)).kind, Kind::waiting);
    EXPECT_EQ(look(record, bob_, at(1000)).kind, Kind::refused);
    EXPECT_EQ(look(record, eve_).kind, Kind::refused);
    // Somebody adds the key by hand meanwhile.
    fixed_.peers = {peer("robert", {bob_.fingerprint()})};
    const auto known = confirm("123456");
    EXPECT_TRUE(!known && known.error().is(causes::kPeerExists));
    ASSERT_TRUE(remove_invitation(*state_, record.id));
    EXPECT_EQ(look(record, bob_).kind, Kind::refused);
    EXPECT_FALSE(confirm("123456"));
}

TEST_F(InvitationState, DrawsDigitsOnlySoOften) {
    InvitationRecord record = invitation(1);
    record.confirm = true;
    ASSERT_TRUE(add(record));
    EXPECT_EQ(claim(attempt(1, bob_)).kind, Kind::waiting);
    // Nobody may wait with the digits of another.
    EXPECT_EQ(claim(attempt(1, eve_)).kind, Kind::refused);
    for (std::uint32_t i = 2; i < kInvitationDrawsMax; ++i) {
        EXPECT_EQ(claim(attempt(1, eve_, "eve", std::to_string(200'000 + i))).kind, Kind::waiting);
    }
    const ClaimOutcome outcome = claim(attempt(1, eve_, "eve", "999999"));
    EXPECT_TRUE(outcome.kind == Kind::refused && outcome.alarm);
    EXPECT_EQ(only().claims.size(), 2U);
    EXPECT_EQ(only().draws, kInvitationDrawsMax);
}

TEST_F(InvitationState, HasRoomForSoMany) {
    const auto fill = [](store::Database& state) -> result<void> {
        for (std::size_t i = 0; i < kInvitationsMax; ++i) {
            InvitationRecord record = invitation(1);
            record.id = "inv-" + std::to_string(i);
            record.hash[0] = static_cast<std::byte>(i);
            record.expires = at(static_cast<std::int64_t>(i) + 1);
            ALKNET_CHECK(add_invitation(state, record, at(0)));
        }
        return {};
    };
    ASSERT_TRUE(state_->transaction(fill));
    const auto full = add(invitation(2));
    EXPECT_TRUE(!full && full.error().is(causes::kLimit));
    // Old ones go, and leave room.
    EXPECT_TRUE(add(invitation(2), at(2) + kInvitationKept));
    EXPECT_EQ(load_invitations(*state_).value().size(), kInvitationsMax);
    const auto many = add(invitation(3, std::vector<std::string>(kInvitationScopesMax + 1, "a:b")));
    EXPECT_TRUE(!many && many.error().is(causes::kLimit));
}

TEST_F(InvitationState, RefusesRowsThatNoCommandWrites) {
    const auto refused = [&](const std::string& damage) {
        const auto outcome = state_->transaction([&](store::Database& state) -> result<void> {
            ALKNET_CHECK(add_invitation(state, invitation(1), at(0)));
            ALKNET_CHECK(state.run(damage));
            ALKNET_CHECK(load_invitations(state));
            return fail(causes::kInternal);
        });
        return !outcome && outcome.error().is(causes::kStoreInvalid);
    };
    EXPECT_TRUE(refused("UPDATE invitation SET expires = -1"));
    EXPECT_TRUE(refused("UPDATE invitation SET expires = 9223372036854775807"));
    EXPECT_TRUE(refused("UPDATE invitation SET hash = x'00'"));
    EXPECT_TRUE(refused("UPDATE invitation SET uses_left = 1000"));
    EXPECT_TRUE(refused("UPDATE invitation_scope SET scope = 'nonsense'"));
}

// The process is killed somewhere between the first and the last statement of a use: afterwards the
// peer is there and the use is gone, or neither.
TEST_F(InvitationState, IsSpentAsAWholeWhenTheProcessIsKilled) {
    for (int round = 0; round < 6; ++round) {
        const InvitationRecord record = invitation(round);
        ASSERT_TRUE(add(record));
        const std::size_t before = peers().size();
        const NodeId key = NodeKey::generate()->id();
        state_.reset();  // a database must not be carried over a fork
        const pid_t child = ::fork();
        if (child == 0) {
            auto opened = store::Database::open(directory_ / kStateFile, state_options());
            auto& database = **opened;
            const auto work = [&](store::Database& state) -> result<void> {
                ALKNET_CHECK(claim_invitation(state, {}, attempt(round, key, "guest")));
                if (round % 2 == 0) {
                    ::kill(::getpid(), SIGKILL);
                }
                return {};
            };
            (void)database.transaction(work);
            ::kill(::getpid(), SIGKILL);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status));
        reopen();
        const auto all = load_invitations(*state_).value();
        const auto found = std::ranges::find(all, record.id, &InvitationRecord::id);
        ASSERT_NE(found, all.end());
        const bool spent = round % 2 == 1;
        EXPECT_EQ(found->uses_left, spent ? 0U : 1U);
        EXPECT_EQ(peers().size(), before + (spent ? 1 : 0));
    }
}

}  // namespace
}  // namespace alknet::identity
