#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/core/grants.hpp>
#include <alknet/identity/policy.hpp>

namespace alknet::identity {

namespace {

const Grant* first_grant(const PeerRecord& peer, const Scope& wanted) noexcept {
    const auto found = std::ranges::find_if(
        peer.grants, [&](const Grant& grant) { return covers(grant.scope, wanted); });
    return found == peer.grants.end() ? nullptr : &*found;
}

Change add_scope(const Scope& wanted) {
    return {.kind = Change::Kind::add_scope, .scope = wanted.text()};
}

bool is_renewal(const PeerRecord& peer, const Scope& wanted) {
    return may_renew(peer) && wanted.text() == kRenewScope;
}

Decision allowed_by(const Grant& grant) {
    return {.verdict = Verdict::allowed,
            .rule = grant.scope.text(),
            .origin = grant.origin,
            .role = grant.role,
            .changes = {}};
}

Decision refused(Verdict verdict, std::string rule, const PeerRecord& peer) {
    return {.verdict = verdict,
            .rule = std::move(rule),
            .origin = peer.origin,
            .role = {},
            .changes = {}};
}

// Before grants are looked at: what the record as a whole says.
std::optional<Decision> decided_by_standing(const PeerRecord& peer, const Question& question) {
    switch (standing_of(peer, question.now)) {
        case Standing::disabled: {
            Decision decision = refused(Verdict::disabled, "enabled = false", peer);
            decision.changes.push_back({.kind = Change::Kind::enable, .scope = {}});
            // Whoever is enabled may turn out to be expired.
            PeerRecord enabled = peer;
            enabled.enabled = true;
            const auto then = decided_by_standing(enabled, question);
            if (then && !then->allowed()) {
                decision.changes.push_back({.kind = Change::Kind::renew, .scope = {}});
            }
            return decision;
        }
        case Standing::expired: {
            Decision decision = refused(Verdict::expired, "expires", peer);
            decision.changes.push_back({.kind = Change::Kind::renew, .scope = {}});
            return decision;
        }
        case Standing::grace: {
            if (is_renewal(peer, question.wanted)) {
                return refused(Verdict::allowed, std::string(kRenewScope), peer);
            }
            Decision decision = refused(Verdict::only_renewal, "expires", peer);
            decision.changes.push_back({.kind = Change::Kind::renew, .scope = {}});
            return decision;
        }
        case Standing::valid:
        case Standing::expiring:
            break;
    }
    return std::nullopt;
}

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::allowed:
            return "allowed";
        case Verdict::unknown_peer:
            return "unknown peer";
        case Verdict::disabled:
            return "disabled";
        case Verdict::expired:
            return "expired";
        case Verdict::only_renewal:
            return "only renewal";
        case Verdict::no_grant:
            return "no grant";
    }
    return "unknown";
}

Decision decide(const PeerDirectory& peers, const Question& question) {
    const PeerRecord* peer = peers.find(question.peer);
    if (peer == nullptr) {
        Decision decision;
        decision.changes = {{.kind = Change::Kind::add_peer, .scope = {}},
                            add_scope(question.wanted)};
        return decision;
    }
    const Grant* grant = first_grant(*peer, question.wanted);
    const bool may = grant != nullptr || is_renewal(*peer, question.wanted);
    if (auto decision = decided_by_standing(*peer, question)) {
        if (!decision->allowed() && !may) {
            decision->changes.push_back(add_scope(question.wanted));
        }
        return *std::move(decision);
    }
    if (grant != nullptr) {
        return allowed_by(*grant);
    }
    if (may) {
        return refused(Verdict::allowed, std::string(kRenewScope), *peer);
    }
    Decision decision = refused(Verdict::no_grant, "", *peer);
    decision.changes.push_back(add_scope(question.wanted));
    return decision;
}

std::string explain(const Decision& decision) {
    std::string text(to_string(decision.verdict));
    const std::string place = decision.origin.text();
    if (decision.allowed()) {
        text += ": by " + decision.rule + " at " + place;
    } else if (decision.verdict == Verdict::unknown_peer) {
        text += ": nobody is known by that name";
    } else if (decision.rule.empty()) {
        text += ": no scope covers it, of the peer at " + place;
    } else {
        text += ": by " + decision.rule + " of the peer at " + place;
    }
    return decision.role.empty() ? text : text + " (role " + decision.role + ")";
}

std::string Broken::text() const {
    const std::string_view must = assertion.allow ? " must be allowed " : " must not be allowed ";
    const std::string_view is = assertion.allow ? ", and is not: " : ", and is: ";
    return assertion.peer + std::string(must) + assertion.wanted.text() + std::string(is) +
           explain(decision);
}

std::vector<Broken> broken_assertions(const PeerDirectory& peers) {
    std::vector<Broken> broken;
    for (const Assertion& assertion : peers.assertions()) {
        const PeerRecord* peer = peers.find_name(assertion.peer);
        Decision decision = decide(peers, {.peer = peer == nullptr ? "" : peer->id,
                                           .wanted = assertion.wanted,
                                           .now = WallTime::min()});
        if (decision.allowed() != assertion.allow) {
            broken.push_back({.assertion = assertion, .decision = std::move(decision)});
        }
    }
    return broken;
}

result<void> check_assertions(const PeerDirectory& peers) {
    const std::vector<Broken> broken = broken_assertions(peers);
    if (broken.empty()) {
        return {};
    }
    std::string detail = broken.front().assertion.origin.text() + ": " + broken.front().text();
    if (broken.size() > 1) {
        detail += " (and " + std::to_string(broken.size() - 1) + " more: alknet config check)";
    }
    return fail(causes::kAssertionFailed, std::move(detail));
}

std::vector<Broken> broken_by(const PeerDirectory& peers, PeerRecord record) {
    const std::vector<Broken> before = broken_assertions(peers);
    PeerList list;
    for (const Assertion& assertion : peers.assertions()) {
        const bool broken = std::ranges::any_of(
            before, [&](const Broken& one) { return one.assertion == assertion; });
        if (assertion.peer == record.name && !broken) {
            list.assertions.push_back(assertion);
        }
    }
    // What they stand for is among the grants.
    record.roles.clear();
    record.resources.clear();
    list.peers.push_back(std::move(record));
    const auto then = PeerDirectory::create(std::move(list));
    return then ? broken_assertions(**then) : std::vector<Broken>();
}

PeerRecord changed(PeerRecord peer, const Change& change, WallTime now) {
    switch (change.kind) {
        case Change::Kind::add_peer:
            break;
        case Change::Kind::enable:
            peer.enabled = true;
            break;
        case Change::Kind::renew:
            peer.expires = now > WallTime::max() - kRenewal ? WallTime::max() : now + kRenewal;
            break;
        case Change::Kind::add_scope:
            if (auto scope = Scope::parse(change.scope)) {
                peer.grants.push_back({.scope = *std::move(scope), .origin = {}, .role = {}});
            }
            break;
    }
    return peer;
}

namespace {

// Within its term, and not only to renew it.
bool may(const PeerRecord& peer, std::string_view wanted, WallTime now) {
    const auto scope = Scope::parse_exact(wanted);
    const Standing standing = standing_of(peer, now);
    return scope && (standing == Standing::valid || standing == Standing::expiring) &&
           first_grant(peer, *scope) != nullptr;
}

}  // namespace

std::vector<std::string> admins(const PeerDirectory& peers, WallTime now) {
    std::vector<std::string> names;
    for (const PeerRecord& peer : peers.peers()) {
        if (may(peer, kAdminScope, now)) {
            names.push_back(peer.name);
        }
    }
    return names;
}

namespace {

// Whether any key of the one is a key of the other.
bool shares_key(const PeerRecord& one, const PeerRecord& other) {
    return std::ranges::any_of(one.fingerprints, [&](const std::string& key) {
        return std::ranges::find(other.fingerprints, key) != other.fingerprints.end();
    });
}

// One that the one has, and the other has not; empty: none. Those of its resources are among them.
std::string lost_scope(const PeerRecord& one, const PeerRecord& other) {
    for (const Grant& grant : one.grants) {
        const std::string text = grant.scope.text();
        const bool kept = std::ranges::any_of(
            other.grants, [&](const Grant& then) { return grant_covers(then.scope.text(), text); });
        if (!kept) {
            return text;
        }
    }
    return {};
}

// An actor that is no peer, such as whoever has an API key, is in no list that it could change.
result<void> guard_actor(const PeerDirectory& before, const PeerDirectory& after,
                         const Guard& guard) {
    const PeerRecord* was = before.find(guard.actor);
    if (was == nullptr) {
        return {};
    }
    const PeerRecord* is = after.find(guard.actor);
    for (const std::string_view scope : {kAdminScope, guard.by}) {
        if (may(*was, scope, guard.now) && (is == nullptr || !may(*is, scope, guard.now))) {
            return fail(causes::kOwnAccess, "you would lose " + std::string(scope));
        }
    }
    if (is == nullptr || !is->enabled) {
        return fail(causes::kOwnAccess, "you would be a stranger");
    }
    if (const std::string lost = lost_scope(*was, *is); !lost.empty()) {
        return fail(causes::kOwnAccess, "you would lose " + lost);
    }
    if (is->expires && (!was->expires || *is->expires < *was->expires)) {
        return fail(causes::kOwnAccess, "your own term would end earlier");
    }
    if (!was->fingerprints.empty() && !shares_key(*was, *is)) {
        return fail(causes::kOwnAccess, "you would have none of the keys that you have");
    }
    return {};
}

}  // namespace

result<void> guard_admins(const PeerDirectory& before, const PeerDirectory& after,
                          const Guard& guard) {
    const std::vector<std::string> were = admins(before, guard.now);
    if (!were.empty() && admins(after, guard.now).empty()) {
        return fail(causes::kLastAdmin, were.size() == 1
                                            ? were.front() + " is the only admin"
                                            : were.front() + " and all other admins would go");
    }
    // The owner of the machine is only warned of terms.
    const WallTime soon =
        guard.now > WallTime::max() - kExpiryWarning ? WallTime::max() : guard.now + kExpiryWarning;
    if (!guard.actor.empty() && !admins(before, soon).empty() && admins(after, soon).empty()) {
        return fail(causes::kLastAdmin, "the terms of all admins would end within two weeks");
    }
    return guard_actor(before, after, guard);
}

bool allows(const Identity& identity, const Scope& wanted) {
    return std::ranges::any_of(identity.scopes, [&](const std::string& text) {
        const auto grant = Scope::parse(text);
        return grant && covers(*grant, wanted);
    });
}

result<void> require(const Identity& identity, const Scope& wanted) {
    return allows(identity, wanted) ? result<void>() : fail(causes::kScopeMissing, wanted.text());
}

}  // namespace alknet::identity
