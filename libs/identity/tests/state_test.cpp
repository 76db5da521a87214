#include <alknet/base/causes.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/identity/token.hpp>
#include <alknet/testing/temp_dir.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

class State : public testing::Test {
protected:
    void SetUp() override { reopen(); }
    void reopen() {
        state_.reset();
        auto opened = store::Database::open(directory_ / kStateFile, state_options());
        ASSERT_TRUE(opened) << opened.error().message();
        state_ = std::move(*opened);
    }
    PeerList load() {
        reopen();
        auto list = load_peers(*state_);
        EXPECT_TRUE(list) << (list ? "" : list.error().message());
        return list ? *std::move(list) : PeerList();
    }

    sim::TempDir directory_;
    std::unique_ptr<store::Database> state_;
};

PeerRecord full_record() {
    PeerRecord bob = peer("bob", {new_key(), NodeKey::generate()->id().openssh_fingerprint()});
    bob.id = make_peer_id();
    bob.grants = {{.scope = scope("git:read:*"), .origin = {}, .role = {}}};
    bob.roles = {"ops"};
    bob.resources = {{"repo", {"a", "b"}}};
    bob.enabled = false;
    bob.expires = at(2'208'988'800);
    bob.renew = std::chrono::hours(24 * 90);
    bob.address = "node.example:4433";
    bob.origin = {.file = "state.db: peer bob", .line = 0};
    bob.grants[0].origin = bob.origin;
    return bob;
}

TEST_F(State, KeepsAPeerAsItWas) {
    const PeerRecord bob = full_record();
    ASSERT_TRUE(save_peer(*state_, bob));
    EXPECT_EQ(load().peers, std::vector<PeerRecord>{bob});
    PeerRecord plain = bob;
    plain.fingerprints.pop_back();
    plain.roles.clear();
    plain.expires.reset();
    plain.enabled = true;
    ASSERT_TRUE(save_peer(*state_, plain));
    EXPECT_EQ(load().peers, std::vector<PeerRecord>{plain});
    EXPECT_TRUE(remove_peer(*state_, bob.id).value());
    EXPECT_FALSE(remove_peer(*state_, bob.id).value());
    EXPECT_TRUE(load().peers.empty());
}

TEST_F(State, KeepsTokensForAsLongAsTheirPeer) {
    const PeerRecord bob = full_record();
    ASSERT_TRUE(save_peer(*state_, bob));
    TokenRecord key;
    key.id = "alk_aaaaaaaa";
    key.hash = token_hash("a");
    key.grants = {
        {.scope = scope("call:x"), .origin = {.file = "state.db: token alk_aaaaaaaa"}, .role = {}}};
    key.label = "for the build";
    key.expires = at(5);
    key.origin.file = "state.db: token alk_aaaaaaaa";
    TokenRecord of_bob;
    of_bob.id = "alk_bbbbbbbb";
    of_bob.hash = token_hash("b");
    of_bob.peer = bob.id;
    of_bob.origin.file = "state.db: token alk_bbbbbbbb";
    ASSERT_TRUE(save_token(*state_, key));
    ASSERT_TRUE(save_token(*state_, of_bob));
    EXPECT_EQ(load().tokens, (std::vector<TokenRecord>{key, of_bob}));
    // A change of the peer is none of its tokens.
    ASSERT_TRUE(save_peer(*state_, bob));
    EXPECT_EQ(load().tokens.size(), 2U);
    EXPECT_TRUE(remove_peer(*state_, bob.id).value());
    EXPECT_EQ(load().tokens, std::vector<TokenRecord>{key});
    EXPECT_TRUE(remove_token(*state_, key.id).value());
    EXPECT_FALSE(remove_token(*state_, key.id).value());
    EXPECT_TRUE(load().tokens.empty());
}

TEST_F(State, RefusesRowsThatNoCommandWrites) {
    const auto refused = [&](const std::string& damage) {
        const auto outcome = state_->transaction([&](store::Database& state) -> result<void> {
            ALKNET_CHECK(save_peer(state, full_record()));
            ALKNET_CHECK(state.run(damage));
            ALKNET_CHECK(load_peers(state));
            return fail(causes::kInternal);
        });
        return !outcome && outcome.error().is(causes::kStoreInvalid);
    };
    EXPECT_TRUE(refused("UPDATE peer SET expires = -1"));
    EXPECT_TRUE(refused("UPDATE peer SET expires = 9223372036854775807"));
    EXPECT_TRUE(refused("UPDATE peer SET renew = -1"));
    EXPECT_TRUE(refused("UPDATE peer SET renew = 9223372036854775807"));
    EXPECT_TRUE(refused("INSERT INTO renewal VALUES ('bob', '', -1, 0)"));
    EXPECT_TRUE(refused("INSERT INTO renewal VALUES ('bob', '', 0, 9223372036854775807)"));
    EXPECT_TRUE(refused("UPDATE peer_scope SET scope = 'nonsense'"));
    EXPECT_TRUE(refused("UPDATE peer_key SET fingerprint = 'ed25519:00' WHERE position = 0"));
    EXPECT_TRUE(refused("INSERT INTO token VALUES ('t', x'00', NULL, '', NULL)"));
}

TEST_F(State, GivesEachPeerAnIdOfItsOwn) {
    const std::string id = make_peer_id();
    EXPECT_EQ(id.size(), 21U);
    EXPECT_NE(id, make_peer_id());
}

}  // namespace
}  // namespace alknet::identity
