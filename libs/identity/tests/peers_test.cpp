#include <alknet/base/causes.hpp>
#include <alknet/identity/token.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

const Cause& refused(PeerList list) {
    const auto made = PeerDirectory::create(std::move(list));
    EXPECT_FALSE(made);
    return made ? causes::kInternal : made.error().cause();
}

const Cause& refused(std::vector<PeerRecord> peers) {
    PeerList list;
    list.peers = std::move(peers);
    return refused(std::move(list));
}

TEST(PeerDirectory, FindsPeersByIdNameAndKey) {
    const NodeId id = NodeKey::generate()->id();
    const NodeId other = NodeKey::generate()->id();
    PeerRecord bob = peer("bob", {id.fingerprint()});
    bob.id = "peer-1";
    const auto peers = directory_of({bob, peer("alice", {other.openssh_fingerprint()})});
    EXPECT_EQ(peers->find("peer-1")->name, "bob");
    EXPECT_EQ(peers->find("bob"), nullptr);
    EXPECT_EQ(peers->find_name("bob")->id, "peer-1");
    EXPECT_EQ(peers->find_fingerprint(id.fingerprint())->id, "peer-1");
    EXPECT_EQ(peers->find_fingerprint(other.fingerprint())->id, "alice");
    EXPECT_EQ(peers->find_fingerprint(new_key()), nullptr);
}

TEST(PeerDirectory, GivesAKeyToOnePeerInWhateverForm) {
    const NodeId id = NodeKey::generate()->id();
    EXPECT_EQ(&refused({peer("a", {id.fingerprint()}), peer("b", {id.fingerprint()})}),
              &causes::kPeerExists);
    EXPECT_EQ(&refused({peer("a", {id.fingerprint()}), peer("b", {id.openssh_fingerprint()})}),
              &causes::kPeerExists);
    EXPECT_EQ(&refused({peer("a", {id.openssh_fingerprint()}), peer("b", {id.fingerprint()})}),
              &causes::kPeerExists);
    EXPECT_TRUE(directory_of({peer("a", {id.openssh_fingerprint(), id.fingerprint()})}));
}

TEST(PeerDirectory, RefusesNamesThatLookAlike) {
    EXPECT_EQ(&refused({peer("bob"), peer("B0b")}), &causes::kPeerExists);
    EXPECT_EQ(&refused({peer("bob"), peer("bob")}), &causes::kPeerExists);
    PeerRecord twin = peer("alice");
    twin.id = "bob";
    EXPECT_EQ(&refused({peer("bob"), twin}), &causes::kPeerExists);
    EXPECT_EQ(&refused({peer("")}), &causes::kConfigInvalid);
}

TEST(PeerDirectory, ExpandsRoles) {
    PeerRecord bob = peer("bob", {}, {"git:read:a"});
    bob.roles = {"ops"};
    PeerList list;
    list.peers = {bob};
    list.roles = {{.name = "ops", .grants = {grant("node:status", 40)}}};
    const auto peers = directory(list);
    ASSERT_EQ(peers->peers()[0].grants.size(), 2U);
    EXPECT_EQ(peers->peers()[0].grants[1].role, "ops");
    EXPECT_EQ(peers->peers()[0].grants[1].origin.text(), "alknet.toml:40");
    list.peers[0].roles = {"oops"};
    EXPECT_EQ(&refused(list), &causes::kConfigInvalid);
    list.peers[0].roles = {};
    list.roles.push_back(list.roles[0]);
    EXPECT_EQ(&refused(list), &causes::kConfigInvalid);
}

TEST(PeerDirectory, HasLimits) {
    const auto peers = [](std::size_t count) {
        std::vector<PeerRecord> many;
        for (std::size_t i = 0; i < count; ++i) {
            // No two of these look alike.
            std::string name = "p";
            for (std::size_t rest = i; rest != 0; rest /= 8) {
                name.push_back("abcdefgh"[rest % 8]);
            }
            many.push_back(peer(name + "x"));
        }
        return many;
    };
    EXPECT_TRUE(directory_of(peers(kPeersMax)));
    EXPECT_EQ(&refused(peers(kPeersMax + 1)), &causes::kLimit);

    PeerRecord many_keys = peer("a");
    many_keys.fingerprints.resize(kFingerprintsPerPeerMax, new_key());
    EXPECT_TRUE(directory_of({many_keys}));
    many_keys.fingerprints.push_back(new_key());
    EXPECT_EQ(&refused({many_keys}), &causes::kLimit);

    PeerRecord many_grants = peer("a");
    many_grants.grants.resize(kGrantsPerPeerMax, grant("a:b"));
    EXPECT_TRUE(directory_of({many_grants}));
    many_grants.grants.push_back(grant("a:b"));
    EXPECT_EQ(&refused({many_grants}), &causes::kLimit);

    PeerList many_roles;
    for (std::size_t i = 0; i <= kRolesMax; ++i) {
        many_roles.roles.push_back({.name = "r" + std::to_string(i), .grants = {}});
    }
    EXPECT_EQ(&refused(many_roles), &causes::kLimit);
    many_roles.roles.pop_back();
    EXPECT_TRUE(directory(many_roles));

    PeerList many_tokens;
    for (std::size_t i = 0; i <= kTokensMax; ++i) {
        const std::string id = std::to_string(i);
        many_tokens.tokens.push_back({.id = id,
                                      .hash = token_hash(id),
                                      .peer = {},
                                      .grants = {},
                                      .label = {},
                                      .expires = {},
                                      .origin = {}});
    }
    EXPECT_EQ(&refused(many_tokens), &causes::kLimit);
    many_tokens.tokens.pop_back();
    EXPECT_TRUE(directory(many_tokens));
}

TEST(Standing, FollowsTheClock) {
    PeerRecord bob = peer("bob", {}, {"git:read"});
    EXPECT_EQ(standing_of(bob, at(0)), Standing::valid);
    const WallTime end = at(2'000'000'000);
    bob.expires = end;
    const Duration tick(1);
    EXPECT_EQ(standing_of(bob, at(0)), Standing::valid);  // a clock at 1970
    EXPECT_EQ(standing_of(bob, end - kExpiryWarning - tick), Standing::valid);
    EXPECT_EQ(standing_of(bob, end - kExpiryWarning), Standing::expiring);
    EXPECT_EQ(standing_of(bob, end - tick), Standing::expiring);
    EXPECT_EQ(standing_of(bob, end), Standing::grace);
    EXPECT_EQ(standing_of(bob, end + kExpiryGrace - tick), Standing::grace);
    EXPECT_EQ(standing_of(bob, end + kExpiryGrace), Standing::expired);
    EXPECT_EQ(standing_of(bob, at(2'208'988'800)), Standing::expired);  // at 2040
    EXPECT_EQ(standing_of(bob, WallTime::max()), Standing::expired);
    bob.expires = WallTime::max();
    EXPECT_EQ(standing_of(bob, at(0)), Standing::valid);
    bob.enabled = false;
    EXPECT_EQ(standing_of(bob, at(0)), Standing::disabled);
}

TEST(Standing, DecidesWhatAPeerIsKnownAs) {
    PeerRecord bob = peer("bob", {}, {"git:write", "git:read", "git:read"});
    bob.resources = {{"repo", {"site"}}};
    bob.expires = at(1000);
    EXPECT_EQ(identity_of(bob, at(999))->scopes,
              (std::vector<std::string>{"git:read", "git:write"}));
    EXPECT_TRUE(identity_of(bob, at(1000))->scopes.empty()) << "nothing lets it renew";
    EXPECT_TRUE(identity_of(bob, at(1000))->renewal_only);
    bob.renew = kRenewMin;
    const auto valid = identity_of(bob, at(999));
    ASSERT_TRUE(valid);
    EXPECT_EQ(valid->scopes, (std::vector<std::string>{"git:read", "git:write", "peer:renew"}));
    EXPECT_EQ(valid->resources.size(), 1U);
    const auto grace = identity_of(bob, at(1000));
    ASSERT_TRUE(grace);
    EXPECT_EQ(grace->scopes, std::vector<std::string>{"peer:renew"});
    EXPECT_TRUE(grace->renewal_only);
    EXPECT_FALSE(valid->renewal_only);
    EXPECT_TRUE(grace->resources.empty());
    EXPECT_FALSE(identity_of(bob, at(1000) + kExpiryGrace));
    bob.enabled = false;
    EXPECT_FALSE(identity_of(bob, at(0)));
}

TEST(PeerDirectory, KnowsWhenSomethingChangesByItself) {
    PeerRecord bob = peer("bob");
    bob.expires = at(1000);
    PeerRecord off = peer("off");
    off.enabled = false;
    off.expires = at(10);
    const auto peers = directory_of({bob, off, peer("alice")});
    EXPECT_EQ(peers->next_change(at(0)), at(1000));
    EXPECT_EQ(peers->next_change(at(1000)), at(1000) + kExpiryGrace);
    EXPECT_FALSE(peers->next_change(at(1000) + kExpiryGrace));
    PeerList with_token;
    with_token.tokens.resize(1);
    with_token.tokens[0].id = "alk_1";
    with_token.tokens[0].expires = at(7);
    const auto tokens = PeerDirectory::create(with_token);
    ASSERT_TRUE(tokens);
    EXPECT_EQ((*tokens)->next_change(at(0)), at(7));
    EXPECT_FALSE((*tokens)->next_change(at(7)));
}

TEST(Peers, HaveAGrantForEachOfTheirResources) {
    PeerRecord bob = peer("bob", {}, {"git:read:@", "*:list:@", "git:write", "sftp:*:@"});
    bob.roles = {"ops"};
    bob.resources = parse_resources({"git:site", "git:docs/*", "git:site", "sftp:home"}).value();
    EXPECT_EQ(resource_texts(bob.resources),
              (std::vector<std::string>{"git:site", "git:docs/*", "sftp:home"}));
    PeerList list;
    list.peers = {bob, peer("eve", {}, {"git:read:@"})};
    list.roles = {{.name = "ops", .grants = {grant("git:push:@", 90)}}};
    const auto peers = directory(list);
    std::vector<std::string> texts;
    for (const Grant& one : peers->find("bob")->grants) {
        texts.push_back(one.scope.text());
    }
    EXPECT_EQ(texts, (std::vector<std::string>{"git:read:site", "git:read:docs/*", "git:list:site",
                                               "git:list:docs/*", "sftp:list:home", "git:write",
                                               "sftp:*:home", "git:push:site", "git:push:docs/*"}));
    EXPECT_EQ(peers->find("bob")->grants.front().origin.line, 10U);
    EXPECT_EQ(peers->find("bob")->grants.back().role, "ops");
    EXPECT_TRUE(peers->find("eve")->grants.empty());
    EXPECT_EQ(identity_of(*peers->find("bob"), at(0))->resources.at("sftp"),
              std::vector<std::string>{"home"});
    for (const char* bad : {"", "git", "git:", ":x", "*:x", "Git:x", "git:@", "git:a b"}) {
        EXPECT_FALSE(parse_resources({bad})) << bad;
    }
    EXPECT_FALSE(Scope::parse_exact("git:read:@"));
}

TEST(Peers, HaveOnlySoManyGrantsByTheirResources) {
    PeerRecord bob = peer("bob", {}, {"git:read:@", "git:write:@"});
    for (std::size_t i = 0; i <= kGrantsPerPeerMax / 2; ++i) {
        bob.resources["git"].push_back("r" + std::to_string(i));
    }
    PeerList list;
    list.peers = {bob};
    const auto made = PeerDirectory::create(list);
    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().is(causes::kLimit));
    list.peers[0].resources["git"].pop_back();
    EXPECT_TRUE(PeerDirectory::create(list));
}

}  // namespace
}  // namespace alknet::identity
