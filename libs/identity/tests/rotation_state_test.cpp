#include <alknet/base/causes.hpp>
#include <alknet/base/causes_audit.hpp>
#include <alknet/identity/rotation_state.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/testing/temp_dir.hpp>

#include "rotation_support.hpp"

namespace alknet::identity {
namespace {

using std::chrono::seconds;

class KeyChanges : public ::testing::Test {
protected:
    void SetUp() override {
        state = store::Database::open(directory / kStateFile, state_options()).value();
    }
    void add(const PeerRecord& one) {
        ASSERT_TRUE(state->transaction([&](auto& db) { return save_peer(db, one); }));
    }
    result<AcceptedChange> accept(const std::vector<Rotation>& chain, WallTime now = kBegin) {
        return state->transaction(
            [&](auto& db) { return accept_key_change(db, fixed, chain, now); });
    }
    std::string refused(const std::vector<Rotation>& chain, WallTime now = kBegin) {
        const auto outcome = accept(chain, now);
        EXPECT_FALSE(outcome);
        return outcome ? "" : outcome.error().detail();
    }
    bool shown(std::uint8_t number) {
        return state
            ->transaction([&](auto& db) { return end_old_keys(db, key_number(number)->id()); })
            .value();
    }
    std::shared_ptr<const PeerDirectory> peers() {
        PeerList list = load_peers(*state).value();
        list.peers.insert(list.peers.end(), fixed.peers.begin(), fixed.peers.end());
        return identity::directory(std::move(list));
    }
    std::vector<std::string> keys(const std::string& name) {
        return peers()->find_name(name)->fingerprints;
    }

    sim::TempDir directory;
    std::unique_ptr<store::Database> state;
    PeerList fixed;
};

TEST_F(KeyChanges, GiveAPeerTwoKeysUntilOneIsShown) {
    add(peer("bob", {key_text(0)}));
    const auto accepted = accept({from_to(0, 1)});
    ASSERT_TRUE(accepted) << accepted.error().message();
    EXPECT_EQ(accepted->name, "bob");
    EXPECT_TRUE(accepted->changed);
    EXPECT_EQ(keys("bob"), (std::vector{key_text(0), key_text(1)}));
    const PeerRecord bob = *peers()->find_name("bob");
    const WallTime end = kBegin + kMonth;
    EXPECT_EQ(peers()->next_change(kBegin), end);
    EXPECT_TRUE(key_holds(bob, key_text(0), end - seconds(1)));
    EXPECT_FALSE(key_holds(bob, key_text(0), end));
    EXPECT_TRUE(key_holds(bob, key_text(1), end));
    // The same again changes nothing.
    EXPECT_FALSE(accept({from_to(0, 1)})->changed);
    EXPECT_FALSE(shown(0));
    EXPECT_TRUE(shown(1));
    EXPECT_FALSE(shown(1));
    EXPECT_EQ(keys("bob"), std::vector{key_text(1)});
    EXPECT_EQ(peers()->find_fingerprint(key_text(0)), nullptr);
    EXPECT_EQ(refused({from_to(0, 1)}), "no peer has the key that goes");
}

TEST_F(KeyChanges, HoldForPeersOfTheFileToo) {
    fixed.peers = {peer("alice", {key_text(0)}),
                   peer("carol", {key_number(5)->id().openssh_fingerprint()})};
    ASSERT_TRUE(accept({from_to(0, 1)}));
    ASSERT_TRUE(accept({from_to(5, 6)}));
    ASSERT_TRUE(shown(1));
    ASSERT_TRUE(shown(6));
    EXPECT_EQ(keys("alice"), std::vector{key_text(1)});
    EXPECT_EQ(keys("carol"), std::vector{key_text(6)});
}

TEST_F(KeyChanges, NeverGoBackAndNeverFork) {
    add(peer("bob", {key_text(0)}));
    ASSERT_TRUE(accept({from_to(0, 1)}));
    EXPECT_EQ(refused({from_to(1, 0)}), "the key that comes was left before");
    EXPECT_EQ(refused({from_to(0, 2)}), "another change of one of the keys is known");
    EXPECT_EQ(refused({from_to(0, 1), from_to(1, 0)}), "the key that comes was left before");
    ASSERT_TRUE(accept({from_to(0, 1), from_to(1, 2)}));
    ASSERT_TRUE(shown(2));
    EXPECT_EQ(keys("bob"), std::vector{key_text(2)});
    EXPECT_EQ(refused({from_to(0, 3)}), "no peer has the key that goes");
    EXPECT_EQ(refused({from_to(2, 0)}), "the key that comes was left before");
    EXPECT_EQ(refused({from_to(2, 1)}), "the key that comes was left before");
}

TEST_F(KeyChanges, EndWithTheirTimeAlthoughNobodyCame) {
    add(peer("bob", {key_text(0)}));
    ASSERT_TRUE(accept({from_to(0, 1)}));
    const WallTime end = kBegin + kMonth;
    // Whoever has stolen the old key comes too late, with whatever it signs.
    EXPECT_EQ(refused({from_to(0, 1, end)}, end), "no peer has the key that goes");
    EXPECT_EQ(refused({from_to(0, 3, end)}, end), "no peer has the key that goes");
    EXPECT_TRUE(accept({from_to(1, 2, end)}, end));
}

TEST_F(KeyChanges, BelieveAsManyAtOnceAsThereMayBe) {
    add(peer("bob", {key_text(0)}));
    EXPECT_EQ(refused(chain_of(kRotationChainMax + 1)), "no peer has the key that goes");
    EXPECT_EQ(refused({from_to(0, 1), from_to(2, 3)}), "the statements do not follow one another");
    Rotation changed = from_to(1, 2);
    changed.not_after += 1;
    EXPECT_EQ(refused({from_to(0, 1), changed}), "the key that goes has not signed it");
    EXPECT_EQ(keys("bob"), std::vector{key_text(0)});  // all or nothing
    ASSERT_TRUE(accept(chain_of(kRotationChainMax)));
    EXPECT_EQ(keys("bob").size(), kRotationChainMax + 1);
    ASSERT_TRUE(shown(kRotationChainMax));
    EXPECT_EQ(keys("bob"), std::vector{key_text(kRotationChainMax)});
}

TEST_F(KeyChanges, GiveNobodyTheKeyOfAnother) {
    add(peer("bob", {key_text(0)}));
    add(peer("carol", {key_text(1)}));
    add(peer("dave", {key_text(3)}));
    EXPECT_EQ(refused({from_to(0, 1)}), "the key that comes is carol's");
    EXPECT_EQ(refused({from_to(0, 2), from_to(2, 3)}), "the key that comes is dave's");
    EXPECT_EQ(refused({from_to(7, 8)}), "no peer has the key that goes");
    // Written down afterwards: the owner's word counts, and the key that was left stays left.
    ASSERT_TRUE(accept({from_to(0, 5)}));
    ASSERT_TRUE(shown(5));
    add(peer("erin", {key_text(5)}));
    EXPECT_EQ(peers()->find_fingerprint(key_text(5))->name, "erin");
    EXPECT_TRUE(keys("bob").empty());
}

TEST_F(KeyChanges, AreForgottenWithThePeer) {
    add(peer("bob", {key_text(0)}));
    ASSERT_TRUE(accept(chain_of(2)));
    ASSERT_TRUE(shown(2));
    ASSERT_TRUE(state->transaction([](auto& db) { return remove_peer(db, "bob"); }).value());
    EXPECT_TRUE(load_key_changes(*state)->empty());
    add(peer("bob", {key_text(0)}));
    EXPECT_EQ(keys("bob"), std::vector{key_text(0)});
    // Who is changed in another way keeps what was accepted.
    ASSERT_TRUE(accept(chain_of(2)));
    add(peer("bob", {key_text(0)}, {"git:read"}));
    EXPECT_EQ(keys("bob").size(), 3U);
}

TEST_F(KeyChanges, OfAPeerAreLimited) {
    add(peer("bob", {key_text(0)}));
    for (std::uint8_t i = 0; i < kFingerprintsPerPeerMax; ++i) {
        const auto next = static_cast<std::uint8_t>(i + 1);
        const auto accepted = accept({from_to(i, next)});
        ASSERT_TRUE(accepted) << int{i} << accepted.error().message();
        ASSERT_TRUE(shown(next));
    }
    const auto more = accept({from_to(64, 65)});
    ASSERT_FALSE(more);
    EXPECT_TRUE(more.error().is(causes::kLimit));
    EXPECT_EQ(keys("bob"), std::vector{key_text(64)});
}

TEST_F(KeyChanges, OfAllAreLimited) {
    add(peer("bob", {key_text(0)}));
    const std::string other = key_text(9);
    ASSERT_TRUE(
        state->run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "
                   "< 10000) INSERT INTO key_change SELECT printf('old-%05d', i), "
                   "printf('new-%05d', i), 1, 0 FROM n"));
    // What nobody writes is damage, and not a key.
    const auto damaged = accept({from_to(0, 1)});
    ASSERT_FALSE(damaged);
    EXPECT_TRUE(damaged.error().is(causes::kStoreInvalid));
    ASSERT_TRUE(state->run("DELETE FROM key_change"));
    ASSERT_TRUE(state->transaction([&](auto& db) -> result<void> {
        for (std::size_t i = 0; i < kKeyChangesMax; ++i) {
            ALKNET_CHECK(
                db.run("INSERT INTO key_change VALUES (?, ?, 1, 1)", {new_key(), new_key()}));
        }
        return {};
    }));
    const auto full = accept({from_to(0, 1)});
    ASSERT_FALSE(full);
    EXPECT_TRUE(full.error().is(causes::kLimit));
}

}  // namespace
}  // namespace alknet::identity
