#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/testing/random.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

struct Case {
    std::string wanted;
    Verdict verdict;
    std::string rule;
    std::string origin;
};

TEST(Policy, DecidesAsTheTableSays) {
    PeerRecord bob = peer("bob", {}, {"git:read:site", "git:*:wiki", "sftp:read:home/*"});
    bob.roles = {"ops"};
    PeerRecord off = peer("off", {}, {"git:read:site"});
    off.enabled = false;
    PeerList list;
    list.peers = {bob, off};
    list.roles = {{.name = "ops", .grants = {grant("node:status", 40)}}};
    const auto peers = directory(list);
    for (const Case& one : {
             Case{"git:read:site", Verdict::allowed, "git:read:site", "alknet.toml:10"},
             Case{"git:write:wiki", Verdict::allowed, "git:*:wiki", "alknet.toml:11"},
             Case{"sftp:read:home/a", Verdict::allowed, "sftp:read:home/*", "alknet.toml:12"},
             Case{"node:status", Verdict::allowed, "node:status", "alknet.toml:40"},
             Case{"git:write:site", Verdict::no_grant, "", "alknet.toml:1"},
             Case{"git:read", Verdict::no_grant, "", "alknet.toml:1"},
             Case{"peer:renew", Verdict::no_grant, "", "alknet.toml:1"},
         }) {
        const Decision decision =
            decide(*peers, {.peer = "bob", .wanted = scope(one.wanted), .now = at(0)});
        EXPECT_EQ(decision.verdict, one.verdict) << one.wanted;
        EXPECT_EQ(decision.rule, one.rule) << one.wanted;
        EXPECT_EQ(decision.origin.text(), one.origin) << one.wanted;
        EXPECT_EQ(decision.role, one.wanted == "node:status" ? "ops" : "") << one.wanted;
    }
    const auto ask = [&](const char* who) {
        return decide(*peers, {.peer = who, .wanted = scope("git:read:site"), .now = at(0)});
    };
    EXPECT_EQ(ask("off").verdict, Verdict::disabled);
    EXPECT_EQ(ask("eve").verdict, Verdict::unknown_peer);
    EXPECT_EQ(ask("").verdict, Verdict::unknown_peer);
}

Assertion assertion(const std::string& who, const std::string& wanted, bool allow) {
    return {.peer = who,
            .wanted = scope(wanted),
            .allow = allow,
            .origin = {.file = "alknet.toml", .line = 7}};
}

TEST(Assertions, SayWhatWasDecidedInsteadAndWhy) {
    PeerRecord bob = peer("bob", {}, {"git:read:*"});
    bob.id = "peer-1";  // a name is what an assertion means
    PeerList list;
    list.peers = {bob};
    list.assertions = {assertion("bob", "git:read:site", true),
                       assertion("bob", "git:write:site", false),
                       assertion("eve", "git:read:site", false)};
    EXPECT_TRUE(check_assertions(*directory(list)));

    list.assertions.push_back(assertion("bob", "git:write:site", true));
    list.assertions.push_back(assertion("bob", "git:read:wiki", false));
    list.assertions.push_back(assertion("eve", "git:read:site", true));
    const auto peers = directory(list);
    const auto broken = broken_assertions(*peers);
    ASSERT_EQ(broken.size(), 3U);
    EXPECT_EQ(broken[0].text(),
              "bob must be allowed git:write:site, and is not: no grant: no scope covers it, of "
              "the peer at alknet.toml:1");
    EXPECT_EQ(broken[1].text(),
              "bob must not be allowed git:read:wiki, and is: allowed: by git:read:* at "
              "alknet.toml:10");
    EXPECT_EQ(broken[2].text(),
              "eve must be allowed git:read:site, and is not: unknown peer: nobody is known by "
              "that name");
    const auto checked = check_assertions(*peers);
    ASSERT_FALSE(checked);
    EXPECT_TRUE(checked.error().is(causes::kAssertionFailed));
    EXPECT_THAT(checked.error().detail(),
                testing::AllOf(testing::StartsWith("alknet.toml:7: bob must be allowed"),
                               testing::HasSubstr("2 more")));
}

TEST(Assertions, AreNotBrokenByTimeAndAreByASwitch) {
    PeerRecord bob = peer("bob", {}, {"git:read"});
    bob.expires = at(1000);
    PeerList list;
    list.peers = {bob};
    list.assertions = {assertion("bob", "git:read", true)};
    EXPECT_TRUE(check_assertions(*directory(list)));
    list.peers[0].enabled = false;
    EXPECT_FALSE(check_assertions(*directory(list)));
}

TEST(Assertions, AreLimited) {
    PeerList list;
    list.assertions.assign(kAssertionsMax, assertion("bob", "git:read", false));
    EXPECT_TRUE(PeerDirectory::create(list));
    list.assertions.push_back(list.assertions.front());
    EXPECT_TRUE(PeerDirectory::create(list).error().is(causes::kLimit));
}

TEST(Policy, LetsWhoseTermHasEndedRenewForAWhile) {
    PeerRecord bob = peer("bob", {}, {"git:read"});
    bob.expires = at(1000);
    const auto peers = directory_of({bob});
    const auto verdict = [&](const char* wanted, WallTime now) {
        return decide(*peers, {.peer = "bob", .wanted = scope(wanted), .now = now}).verdict;
    };
    EXPECT_EQ(verdict("git:read", at(999)), Verdict::allowed);
    EXPECT_EQ(verdict("peer:renew", at(999)), Verdict::allowed);
    EXPECT_EQ(verdict("git:read", at(1000)), Verdict::only_renewal);
    EXPECT_EQ(verdict("peer:renew", at(1000)), Verdict::allowed);
    EXPECT_EQ(verdict("peer:renew", at(1000) + kExpiryGrace), Verdict::expired);
}

TEST(Policy, TellsAKnownPeerTheScopeItLacks) {
    const Identity bob{.id = "bob", .scopes = {"git:read:*", "not a scope"}, .resources = {}};
    EXPECT_TRUE(require(bob, scope("git:read:site")));
    const auto refused = require(bob, scope("git:write:site"));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kScopeMissing));
    EXPECT_EQ(refused.error().detail(), "git:write:site");
}

// Random policies over few words, so that grants and questions meet.
class RandomPolicy {
public:
    explicit RandomPolicy(std::uint64_t seed) : random_(seed) {}

    std::string word(bool wild) {
        return wild && random_.chance(0.25) ? "*" : std::string(1, "abc"[random_.below(3)]);
    }
    Scope make_scope(bool wild) {
        std::string text = word(wild) + ":" + word(wild);
        if (random_.chance(0.6)) {
            text += ":" + word(wild);
            if (random_.chance(0.3)) {
                text += "/" + word(wild);
            }
        }
        return scope(text);
    }
    PeerRecord make_peer(const std::string& name) {
        PeerRecord record = peer(name);
        const auto grants = random_.below(4);
        for (std::uint64_t i = 0; i < grants; ++i) {
            record.grants.push_back(
                {.scope = make_scope(true), .origin = {.file = name, .line = 10 + i}, .role = {}});
        }
        if (random_.chance(0.3)) {
            record.roles = {"ops"};
        }
        record.enabled = random_.chance(0.8);
        if (random_.chance(0.4)) {
            record.expires = at(static_cast<std::int64_t>(random_.below(2'000'000)));
        }
        return record;
    }
    PeerList make_list() {
        PeerList list;
        list.roles = {{.name = "ops", .grants = {}}};
        for (std::uint64_t i = random_.below(3); i > 0; --i) {
            list.roles[0].grants.push_back(
                {.scope = make_scope(true), .origin = {.file = "ops", .line = i}, .role = {}});
        }
        list.peers = {make_peer("a"), make_peer("b")};
        return list;
    }
    Question ask() {
        const char* who = random_.chance(0.1) ? "nobody" : random_.chance(0.5) ? "a" : "b";
        Scope wanted = random_.chance(0.05) ? scope(std::string(kRenewScope)) : make_scope(false);
        return {.peer = who,
                .wanted = std::move(wanted),
                .now = at(static_cast<std::int64_t>(random_.below(3'000'000)))};
    }

private:
    sim::Random random_;
};

// What is decided when nothing but the rule that the explanation names stands in the record.
Decision replay(const PeerDirectory& peers, const Question& question, const Decision& decision) {
    const PeerRecord* peer = peers.find(question.peer);
    if (peer == nullptr) {
        return decide(*directory_of({}), question);
    }
    PeerRecord alone = *peer;
    alone.roles.clear();
    if (decision.allowed()) {
        std::erase_if(alone.grants, [&](const Grant& grant) {
            return grant.scope.text() != decision.rule || grant.origin != decision.origin ||
                   grant.role != decision.role;
        });
        EXPECT_LE(alone.grants.size(), 1U);
    } else if (decision.verdict != Verdict::no_grant) {
        std::erase_if(alone.grants,
                      [&](const Grant& grant) { return !covers(grant.scope, question.wanted); });
    }
    return decide(*directory_of({alone}), question);
}

TEST(PolicyProperty, TheExplanationAloneGivesTheSameDecision) {
    RandomPolicy policy(1);
    std::map<Verdict, int> seen;
    for (int i = 0; i < 20'000; ++i) {
        const auto peers = directory(policy.make_list());
        for (int j = 0; j < 5; ++j) {
            const Question question = policy.ask();
            const Decision decision = decide(*peers, question);
            ++seen[decision.verdict];
            ASSERT_EQ(replay(*peers, question, decision), decision);
        }
    }
    EXPECT_EQ(seen.size(), 6U);
    for (const auto& [verdict, times] : seen) {
        EXPECT_GT(times, 50) << to_string(verdict);
    }
}

PeerList with_changes(const PeerList& list, const Question& question,
                      const std::vector<Change>& changes) {
    PeerList changed_list = list;
    for (const Change& change : changes) {
        if (change.kind == Change::Kind::add_peer) {
            changed_list.peers.push_back(peer(question.peer));
        }
        for (PeerRecord& record : changed_list.peers) {
            if (record.id == question.peer) {
                record = changed(record, change, question.now);
            }
        }
    }
    return changed_list;
}

TEST(PolicyProperty, TheChangesAllowItAndNoFewerDo) {
    RandomPolicy policy(2);
    for (int i = 0; i < 20'000; ++i) {
        const PeerList list = policy.make_list();
        const Question question = policy.ask();
        const Decision decision = decide(*directory(list), question);
        const std::vector<Change>& changes = decision.changes;
        ASSERT_EQ(changes.empty(), decision.allowed());
        const auto allowed_with = [&](const std::vector<Change>& some) {
            return decide(*directory(with_changes(list, question, some)), question).allowed();
        };
        ASSERT_TRUE(allowed_with(changes));
        for (std::size_t left_out = 0; left_out < changes.size(); ++left_out) {
            std::vector<Change> fewer = changes;
            fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(left_out));
            ASSERT_FALSE(allowed_with(fewer)) << to_string(decision.verdict) << left_out;
        }
    }
}

TEST(PolicyProperty, AScopeThatIsAddedAllowsThatAlone) {
    RandomPolicy policy(3);
    for (int i = 0; i < 5'000; ++i) {
        const PeerList list = policy.make_list();
        const auto before = directory(list);
        const Question question = policy.ask();
        const Decision decision = decide(*before, question);
        if (decision.verdict != Verdict::no_grant) {
            continue;
        }
        const auto after = directory(with_changes(list, question, decision.changes));
        for (int j = 0; j < 20; ++j) {
            Question other = policy.ask();
            other.now = question.now;
            if (other.peer != question.peer || other.wanted != question.wanted) {
                ASSERT_EQ(decide(*after, other).allowed(), decide(*before, other).allowed());
            }
        }
    }
}

TEST(PolicyProperty, AnIdentityMayDoWhatIsDecided) {
    RandomPolicy policy(4);
    for (int i = 0; i < 20'000; ++i) {
        const auto peers = directory(policy.make_list());
        const Question question = policy.ask();
        const PeerRecord* record = peers->find(question.peer);
        const auto identity = record == nullptr ? std::nullopt : identity_of(*record, question.now);
        ASSERT_EQ(identity && allows(*identity, question.wanted),
                  decide(*peers, question).allowed());
    }
}

}  // namespace
}  // namespace alknet::identity
