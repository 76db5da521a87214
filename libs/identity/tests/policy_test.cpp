#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/policy.hpp>
#include <functional>

#include "support.hpp"

namespace alknet::identity {
namespace {

// What would allow it, in short: "enable, renew, +git:read".
std::string short_text(const std::vector<Change>& changes) {
    std::string text;
    for (const Change& change : changes) {
        text += text.empty() ? "" : ", ";
        switch (change.kind) {
            case Change::Kind::add_peer:
                text += "peer";
                break;
            case Change::Kind::enable:
                text += "enable";
                break;
            case Change::Kind::renew:
                text += "renew";
                break;
            case Change::Kind::add_scope:
                text += "+" + change.scope;
                break;
        }
    }
    return text;
}

// Each peer stands in the line that is its number, its grants in the lines from ten times that.
std::shared_ptr<const PeerDirectory> table_peers() {
    const auto numbered = [](const std::string& name, std::size_t line,
                             const std::vector<std::string>& scopes) {
        PeerRecord record = peer(name);
        record.origin.line = line;
        for (const std::string& text : scopes) {
            record.grants.push_back(grant(text, line * 10 + record.grants.size()));
        }
        return record;
    };
    PeerRecord bob = numbered("bob", 1, {"git:read:site", "git:*:wiki", "sftp:read:home/*", "x:*"});
    bob.roles = {"ops"};
    PeerRecord term = numbered("term", 2, {"git:read"});
    term.expires = at(1000);
    term.renew = kRenewMin;
    PeerRecord ends = numbered("ends", 3, {"git:read"});
    ends.expires = at(1000);
    ends.renewable = false;
    ends.renew = kRenewMin;
    PeerRecord off = numbered("off", 4, {"git:read"});
    off.enabled = false;
    PeerRecord both = numbered("both", 5, {"git:read"});
    both.enabled = false;
    both.expires = at(1000);
    both.renew = kRenewMin;
    PeerList list;
    list.peers = {
        bob, term, ends, off, both, numbered("all", 6, {"*:*:*"}), numbered("none", 7, {})};
    list.roles = {
        {.name = "ops", .grants = {grant("node:status", 90), grant("git:read:site", 91)}}};
    return directory(list);
}

struct Case {
    std::string peer;
    std::string wanted;
    std::int64_t now;
    Verdict verdict;
    std::string rule;
    std::size_t line;
    std::string changes;
};

std::vector<Case> table() {
    using enum Verdict;
    return {
        {"bob", "git:read:site", 0, allowed, "git:read:site", 10, ""},
        {"bob", "git:write:wiki", 0, allowed, "git:*:wiki", 11, ""},
        {"bob", "sftp:read:home/a", 0, allowed, "sftp:read:home/*", 12, ""},
        {"bob", "sftp:read:home/a/b", 0, allowed, "sftp:read:home/*", 12, ""},
        {"bob", "sftp:read:home/../b", 0, no_grant, "", 1, "+sftp:read:home/../b"},
        {"bob", "sftp:read:home", 0, no_grant, "", 1, "+sftp:read:home"},
        {"bob", "sftp:read:homes/a", 0, no_grant, "", 1, "+sftp:read:homes/a"},
        {"bob", "x:y", 0, allowed, "x:*", 13, ""},
        {"bob", "x:y:z", 0, no_grant, "", 1, "+x:y:z"},
        {"bob", "node:status", 0, allowed, "node:status", 90, ""},
        {"bob", "git:write:site", 0, no_grant, "", 1, "+git:write:site"},
        {"bob", "git:read", 0, no_grant, "", 1, "+git:read"},
        {"bob", "peer:renew", 0, no_grant, "", 1, "+peer:renew"},
        {"term", "git:read", 999, allowed, "git:read", 20, ""},
        {"term", "git:read", 1000, only_renewal, "expires", 2, "renew"},
        {"term", "git:write", 1000, only_renewal, "expires", 2, "renew, +git:write"},
        {"term", "peer:renew", 0, allowed, "peer:renew", 2, ""},
        {"term", "peer:renew", 1000, allowed, "peer:renew", 2, ""},
        {"term", "peer:renew", 605'800, expired, "expires", 2, "renew"},
        {"term", "git:write", 605'800, expired, "expires", 2, "renew, +git:write"},
        {"ends", "git:read", 999, allowed, "git:read", 30, ""},
        {"ends", "git:read", 1000, expired, "expires", 3, "renew"},
        {"ends", "peer:renew", 0, no_grant, "", 3, "+peer:renew"},
        {"off", "git:read", 0, disabled, "enabled = false", 4, "enable"},
        {"off", "git:write", 0, disabled, "enabled = false", 4, "enable, +git:write"},
        {"both", "git:read", 0, disabled, "enabled = false", 5, "enable"},
        {"both", "git:read", 1000, disabled, "enabled = false", 5, "enable, renew"},
        {"both", "peer:renew", 1000, disabled, "enabled = false", 5, "enable"},
        {"both", "git:write", 605'800, disabled, "enabled = false", 5, "enable, renew, +git:write"},
        {"all", "git:read", 0, allowed, "*:*:*", 60, ""},
        {"all", "git:read:../..", 0, allowed, "*:*:*", 60, ""},
        {"none", "git:read", 0, no_grant, "", 7, "+git:read"},
        {"eve", "git:read", 0, unknown_peer, "", 0, "peer, +git:read"},
        {"", "git:read", 0, unknown_peer, "", 0, "peer, +git:read"},
        {"Bob", "git:read:site", 0, unknown_peer, "", 0, "peer, +git:read:site"},
    };
}

TEST(Policy, DecidesAsTheTableSays) {
    const auto peers = table_peers();
    for (const Case& one : table()) {
        SCOPED_TRACE(one.peer + " " + one.wanted + " " + std::to_string(one.now));
        const Scope wanted = scope(one.wanted);
        const Decision decision =
            decide(*peers, {.peer = one.peer, .wanted = wanted, .now = at(one.now)});
        EXPECT_EQ(decision.verdict, one.verdict);
        EXPECT_EQ(decision.rule, one.rule);
        EXPECT_EQ(decision.origin.line, one.line);
        EXPECT_EQ(decision.role, one.line >= 90 ? "ops" : "");
        EXPECT_EQ(short_text(decision.changes), one.changes);
        // A service that asks the identity hears the same.
        const PeerRecord* record = peers->find(one.peer);
        const auto identity = record == nullptr ? std::nullopt : identity_of(*record, at(one.now));
        EXPECT_EQ(identity && require(*identity, wanted), decision.allowed());
    }
}

TEST(Policy, LetsWhoseTermHasEndedRenewForAWhile) {
    PeerRecord bob = peer("bob", {}, {"git:read"});
    bob.expires = at(1000);
    bob.renew = kRenewMin;
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

TEST(Policy, NamesTheAssertionsThatAChangeWouldBreak) {
    PeerRecord bob = peer("bob", {}, {"git:read"});
    bob.enabled = false;
    PeerList list;
    list.peers = {bob};
    const auto assertion = [](const char* who, const char* wanted, bool allow, std::size_t line) {
        return Assertion{.peer = who,
                         .wanted = scope(wanted),
                         .allow = allow,
                         .origin = {.file = "alknet.toml", .line = line}};
    };
    list.assertions = {assertion("bob", "git:write", false, 3),
                       assertion("bob", "git:push", true, 4),  // is broken already
                       assertion("eve", "git:write", false, 5)};
    const auto peers = directory(list);
    const auto lines = [&](PeerRecord record, const std::vector<Change>& changes) {
        for (const Change& change : changes) {
            record = changed(record, change, at(0));
        }
        std::vector<std::size_t> found;
        for (const Broken& one : broken_by(*peers, record)) {
            found.push_back(one.assertion.origin.line);
        }
        return found;
    };
    const Change enable{.kind = Change::Kind::enable, .scope = {}};
    const Change write{.kind = Change::Kind::add_scope, .scope = "git:write"};
    using Lines = std::vector<std::size_t>;
    EXPECT_EQ(lines(bob, {}), Lines());
    EXPECT_EQ(lines(bob, {enable}), Lines());
    EXPECT_EQ(lines(bob, {write}), Lines());  // it is disabled still
    EXPECT_EQ(lines(bob, {enable, write}), Lines{3});
    EXPECT_EQ(lines(peer("eve"), {write}), Lines{5});
    EXPECT_EQ(lines(peer("zoe"), {write}), Lines());
}

class GuardAdmins : public testing::Test {
protected:
    // What the guard says to a change of bob, who does it himself unless somebody else is named.
    const Cause* change(const std::function<void(PeerRecord&)>& edit, std::string actor = "bob") {
        PeerRecord bob = bob_;
        edit(bob);
        const auto after = directory_of({bob, carol_});
        const auto outcome =
            guard_admins(*directory_of({bob_, carol_}), *after,
                         {.actor = std::move(actor), .now = at(0), .by = "peers:manage"});
        return outcome ? nullptr : &outcome.error().cause();
    }

    PeerRecord bob_ = peer("bob", {new_key()}, {"node:admin", "peers:manage", "git:read"});
    PeerRecord carol_ = peer("carol", {new_key()}, {"node:admin"});
};

TEST_F(GuardAdmins, NobodyTakesItsOwnAccess) {
    const Cause* own = &causes::kOwnAccess;
    EXPECT_EQ(change([](PeerRecord& bob) { bob.enabled = false; }), own);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.grants.clear(); }), own);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.grants.erase(bob.grants.begin()); }), own);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.grants.erase(bob.grants.begin() + 1); }), own);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.grants.pop_back(); }), own) << "any other scope too";
    EXPECT_EQ(change([](PeerRecord& bob) { bob.grants.back() = grant("git:*"); }), nullptr)
        << "what covers it takes its place";
    EXPECT_EQ(change([](PeerRecord& bob) { bob.expires = at(1'000'000'000); }), own);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.fingerprints = {new_key()}; }), own);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.id = "another"; }), own);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.name = "robert"; }), nullptr);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.fingerprints.push_back(new_key()); }), nullptr);
    // Of others it may.
    EXPECT_EQ(change([](PeerRecord& bob) { bob.enabled = false; }, "carol"), nullptr);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.expires = at(60); }, "carol"), nullptr);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.enabled = false; }, ""), nullptr);
}

TEST_F(GuardAdmins, ATermMayBeginToEndLaterAndNotEarlier) {
    bob_.expires = at(1'000'000'000);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.expires = at(1'000'000'001); }), nullptr);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.expires.reset(); }), nullptr);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.expires = at(999'999'999); }), &causes::kOwnAccess);
}

TEST_F(GuardAdmins, TheLastOneStays) {
    carol_.grants = {grant("peers:manage")};
    const Cause* last = &causes::kLastAdmin;
    for (const char* actor : {"", "carol"}) {
        EXPECT_EQ(change([](PeerRecord& bob) { bob.enabled = false; }, actor), last);
        EXPECT_EQ(change([](PeerRecord& bob) { bob.grants.clear(); }, actor), last);
    }
    // Its term: the owner of the machine is warned, others are refused a short one.
    const auto soon = [](PeerRecord& bob) { bob.expires = at(60); };
    EXPECT_EQ(change(soon, "carol"), last);
    EXPECT_EQ(change(soon, ""), nullptr);
    EXPECT_EQ(change([](PeerRecord& bob) { bob.expires = at(60) + kExpiryWarning; }, "carol"),
              nullptr);
}

}  // namespace
}  // namespace alknet::identity
