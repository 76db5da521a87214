// Properties of decisions, over random policies. A million of them: ./dev policies
#include <alknet/base/number.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/testing/random.hpp>
#include <cstdlib>
#include <iostream>
#include <map>

#include "support.hpp"

namespace alknet::identity {
namespace {

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
            text += ":" + (wild && random_.chance(0.2) ? "@" : word(wild));
            if (!text.ends_with('@') && random_.chance(0.3)) {
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
        for (std::uint64_t i = random_.below(3); i > 0; --i) {
            record.resources[word(false)] = {word(false)};
        }
        record.enabled = random_.chance(0.8);
        if (random_.chance(0.4)) {
            record.expires = at(static_cast<std::int64_t>(random_.below(2'000'000)));
            record.renewable = random_.chance(0.7);
            record.renew = random_.chance(0.7) ? kRenewMin : Duration();
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
    alone.resources.clear();  // as the roles, among the grants
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

// How many policies, and from which seed: ALKNET_POLICIES and ALKNET_SEED say it, else these.
constexpr std::uint64_t kPolicies = 20'000;
constexpr std::uint64_t kSeed = 1;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    const auto number = parse_number<std::uint64_t>(text == nullptr ? "" : text);
    EXPECT_EQ(number.has_value(), text != nullptr) << name << " must be a number";
    return number.value_or(otherwise);
}

class PolicyProperty : public testing::Test {
protected:
    void SetUp() override {
        std::cout << count << " policies; to repeat it: ALKNET_SEED=" << seed << "\n";
    }

    const std::uint64_t count = from_environment("ALKNET_POLICIES", kPolicies);
    const std::uint64_t seed = from_environment("ALKNET_SEED", kSeed);
    RandomPolicy policy{seed};
};

TEST_F(PolicyProperty, TheExplanationAloneGivesTheSameDecision) {
    std::map<Verdict, std::uint64_t> seen;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto peers = directory(policy.make_list());
        for (int j = 0; j < 3; ++j) {
            const Question question = policy.ask();
            const Decision decision = decide(*peers, question);
            ++seen[decision.verdict];
            ASSERT_EQ(replay(*peers, question, decision), decision) << "policy " << i;
        }
    }
    EXPECT_EQ(seen.size(), 6U);
    for (const auto& [verdict, times] : seen) {
        EXPECT_GT(times, count / 400) << to_string(verdict);
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

// The changes without the scope that is added: what they bring stood in the record before.
std::vector<Change> without_scope(std::vector<Change> changes) {
    std::erase_if(changes, [](const Change& one) { return one.kind == Change::Kind::add_scope; });
    return changes;
}

TEST_F(PolicyProperty, TheChangesAllowThatAndNothingElseAndNoFewerDo) {
    for (std::uint64_t i = 0; i < count; ++i) {
        const PeerList list = policy.make_list();
        const Question question = policy.ask();
        const Decision decision = decide(*directory(list), question);
        const std::vector<Change>& changes = decision.changes;
        ASSERT_EQ(changes.empty(), decision.allowed());
        const auto after = directory(with_changes(list, question, changes));
        ASSERT_TRUE(decide(*after, question).allowed()) << "policy " << i;
        for (std::size_t left_out = 0; left_out < changes.size(); ++left_out) {
            std::vector<Change> fewer = changes;
            fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(left_out));
            const auto without = directory(with_changes(list, question, fewer));
            ASSERT_FALSE(decide(*without, question).allowed()) << "policy " << i;
        }
        const auto before = directory(with_changes(list, question, without_scope(changes)));
        for (int j = 0; j < 12; ++j) {
            Question other = policy.ask();
            other.now = question.now;
            const bool same = other.peer == question.peer && other.wanted == question.wanted;
            ASSERT_EQ(decide(*after, other).allowed(), same || decide(*before, other).allowed())
                << "policy " << i << ": " << other.peer << " " << other.wanted.text();
        }
    }
}

TEST_F(PolicyProperty, AnIdentityMayDoWhatIsDecided) {
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto peers = directory(policy.make_list());
        const Question question = policy.ask();
        const PeerRecord* record = peers->find(question.peer);
        const auto identity = record == nullptr ? std::nullopt : identity_of(*record, question.now);
        ASSERT_EQ(identity && allows(*identity, question.wanted),
                  decide(*peers, question).allowed())
            << "policy " << i;
    }
}

}  // namespace
}  // namespace alknet::identity
