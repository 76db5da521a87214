#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/invitation_state.hpp>
#include <alknet/identity/join_frames.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/identity/renewal.hpp>
#include <alknet/identity/state.hpp>
#include <map>

namespace alknet::identity {

namespace {

using store::Database;
using store::Row;
using Kind = ClaimOutcome::Kind;

constexpr std::size_t kIdBytes = 4;
constexpr std::size_t kFallbackDigits = 16;

std::int64_t seconds(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

result<InvitationRecord> record_of(const Row& row) {
    constexpr auto kMax = std::chrono::floor<std::chrono::seconds>(WallTime::max());
    InvitationRecord record;
    record.id = row.text(0);
    const std::int64_t uses = row.integer(5);
    const std::int64_t expires = row.integer(6);
    const auto is_time = [&](std::int64_t value) {
        return value >= 0 && value <= kMax.time_since_epoch().count();
    };
    constexpr auto kMost = std::chrono::floor<std::chrono::seconds>(kRenewMax);
    const std::int64_t renew = row.integer(10);
    if (row.blob(1).size() != record.hash.size() || uses < 0 || uses > kInvitationUsesMax ||
        !is_time(expires) || !is_time(row.integer(9)) || renew < 0 || renew > kMost.count()) {
        return fail(causes::kStoreInvalid, "invitation " + record.id);
    }
    std::ranges::copy(row.blob(1), record.hash.begin());
    record.name = row.text(2);
    record.only_for = row.text(3);
    record.confirm = row.integer(4) != 0;
    record.uses_left = static_cast<std::uint32_t>(uses);
    record.expires = WallTime(std::chrono::seconds(expires));
    record.alarms = static_cast<std::uint32_t>(row.integer(7));
    record.draws = static_cast<std::uint32_t>(row.integer(8));
    if (!row.is_null(9)) {
        record.peer_expires = WallTime(std::chrono::seconds(row.integer(9)));
    }
    record.peer_renew = std::chrono::seconds(renew);
    return record;
}

using Places = std::map<std::string, std::size_t, std::less<>>;

result<void> load_scopes(Database& state, const Places& places,
                         std::vector<InvitationRecord>& into) {
    ALKNET_TRY(const auto rows, state.query("SELECT invitation, scope FROM invitation_scope"));
    for (const Row& row : rows) {
        auto scope = Scope::parse(row.text(1));
        const auto found = places.find(row.text(0));
        if (!scope || found == places.end()) {
            return fail(causes::kStoreInvalid, "invitation " + std::string(row.text(0)));
        }
        into[found->second].scopes.push_back(*std::move(scope));
    }
    return {};
}

result<void> load_claims(Database& state, const Places& places,
                         std::vector<InvitationRecord>& into) {
    ALKNET_TRY(const auto rows, state.query("SELECT invitation, fingerprint, name, code, peer"
                                            " FROM invitation_claim"));
    for (const Row& row : rows) {
        const auto found = places.find(row.text(0));
        if (found == places.end()) {
            return fail(causes::kStoreInvalid, "invitation " + std::string(row.text(0)));
        }
        into[found->second].claims.push_back({.fingerprint = std::string(row.text(1)),
                                              .name = std::string(row.text(2)),
                                              .code = std::string(row.text(3)),
                                              .peer = std::string(row.text(4))});
    }
    return {};
}

// Every one of them is compared, and each in the same time.
InvitationRecord* find_secret(std::vector<InvitationRecord>& all, const InvitationSecret& secret) {
    const auto hash = invitation_hash(secret);
    InvitationRecord* match = nullptr;
    for (InvitationRecord& record : all) {
        match = crypto::equal_constant_time(record.hash, hash) ? &record : match;
    }
    return match;
}

InvitationClaim* find_claim(InvitationRecord& record, std::string_view fingerprint) {
    const auto found = std::ranges::find(record.claims, fingerprint, &InvitationClaim::fingerprint);
    return found == record.claims.end() ? nullptr : &*found;
}

bool code_is_taken(const std::vector<InvitationRecord>& all, std::string_view code) {
    return std::ranges::any_of(all, [&](const InvitationRecord& record) {
        return std::ranges::any_of(record.claims, [&](const InvitationClaim& claim) {
            return claim.peer.empty() && claim.code == code;
        });
    });
}

bool is_known(const std::vector<PeerRecord>& peers, const std::string& fingerprint) {
    const auto aliases = fingerprint_aliases(fingerprint);
    return std::ranges::any_of(peers, [&](const PeerRecord& peer) {
        return std::ranges::any_of(peer.fingerprints, [&](const std::string& one) {
            return std::ranges::find(aliases, one) != aliases.end();
        });
    });
}

// Beside whom somebody new must fit: now, and once a change is undone that waits.
struct Others {
    PeerList now;
    std::optional<PeerList> undone{};
    std::vector<std::string> names{};  // of nobody who chooses it himself
};

bool name_is_free(const PeerList& others, const std::string& skeleton) {
    return std::ranges::none_of(
        others.peers, [&](const PeerRecord& peer) { return name_skeleton(peer.name) == skeleton; });
}

bool may_be_called(const Others& others, std::string_view name, bool chosen_by_itself) {
    const std::string skeleton = name_skeleton(name);
    const auto same = [&](const std::string& one) { return name_skeleton(one) == skeleton; };
    return name_is_free(others.now, skeleton) &&
           (!others.undone || name_is_free(*others.undone, skeleton)) &&
           (!chosen_by_itself || std::ranges::none_of(others.names, same));
}

std::vector<std::string> texts(const std::vector<Scope>& scopes) {
    std::vector<std::string> all;
    for (const Scope& scope : scopes) {
        all.push_back(scope.text());
    }
    return all;
}

// A name that is taken, or looks like another, or would bring rights that the invitation does not,
// is replaced by one that nobody can mistake.
PeerRecord new_peer(const InvitationRecord& record, const InvitationClaim& claim,
                    const Others& others) {
    PeerRecord peer;
    peer.id = make_peer_id();
    peer.name = record.name.empty() ? claim.name : record.name;
    if (!may_be_called(others, peer.name, record.name.empty())) {
        constexpr std::string_view kKind = "ed25519:";
        peer.name = "joined-" + claim.fingerprint.substr(kKind.size(), kFallbackDigits);
    }
    peer.fingerprints = {claim.fingerprint};
    for (const Scope& scope : record.scopes) {
        peer.grants.push_back({.scope = scope, .origin = {}, .role = {}});
    }
    peer.expires = record.peer_expires;
    peer.renew = record.peer_renew;
    peer.origin = {.file = std::string(kStateFile) + ": peer " + peer.name, .line = 0};
    return peer;
}

result<void> check_fits(PeerList others, const PeerRecord& peer) {
    others.peers.push_back(peer);
    ALKNET_TRY(const auto peers, PeerDirectory::create(std::move(others)));
    return check_assertions(*peers);
}

PeerList everybody(PeerList stored, const PeerList& fixed) {
    stored.peers.insert(stored.peers.end(), fixed.peers.begin(), fixed.peers.end());
    stored.roles.insert(stored.roles.end(), fixed.roles.begin(), fixed.roles.end());
    stored.tokens.insert(stored.tokens.end(), fixed.tokens.begin(), fixed.tokens.end());
    stored.assertions = fixed.assertions;
    return stored;
}

void add_names(Others& others, const std::vector<std::string>& names, const PeerList& list) {
    others.names.insert(others.names.end(), names.begin(), names.end());
    for (const Assertion& assertion : list.assertions) {
        others.names.push_back(assertion.peer);
    }
}

result<Others> others_of(Database& state, const FixedPeers& fixed) {
    ALKNET_TRY(const PeerList stored, load_peers(state));
    Others others{.now = everybody(stored, fixed.list == nullptr ? PeerList() : *fixed.list)};
    add_names(others, fixed.names, others.now);
    if (fixed.undone) {
        ALKNET_TRY(auto undone, fixed.undone(stored));
        if (undone) {
            add_names(others, undone->names, undone->list);
            others.undone = everybody(stored, undone->list);
        }
    }
    return others;
}

// Checked with the new peer before anything is written.
result<PeerRecord> grant(Database& state, const FixedPeers& fixed, const InvitationRecord& record,
                         InvitationClaim claim) {
    ALKNET_TRY(const Others others, others_of(state, fixed));
    PeerRecord peer = new_peer(record, claim, others);
    ALKNET_CHECK(check_fits(others.now, peer));
    if (others.undone) {
        if (const auto fits = check_fits(*others.undone, peer); !fits) {
            return fail(causes::kConfigPending,
                        "were it undone, a node would refuse this: " + fits.error().message());
        }
    }
    ALKNET_CHECK(save_peer(state, peer));
    ALKNET_CHECK(
        state.run("UPDATE invitation SET uses_left = uses_left - 1 WHERE id = ?", {record.id}));
    ALKNET_CHECK(state.run("INSERT OR REPLACE INTO invitation_claim VALUES (?, ?, ?, ?, ?)",
                           {record.id, claim.fingerprint, claim.name, claim.code, peer.id}));
    return peer;
}

result<std::vector<PeerRecord>> known_peers(Database& state, const FixedPeers& fixed) {
    ALKNET_TRY(PeerList list, load_peers(state));
    if (fixed.list != nullptr) {
        list.peers.insert(list.peers.end(), fixed.list->peers.begin(), fixed.list->peers.end());
    }
    return std::move(list.peers);
}

ClaimOutcome refused(const InvitationRecord& record, std::string why) {
    ClaimOutcome outcome;
    outcome.invitation = record.id;
    outcome.why = std::move(why);
    return outcome;
}

ClaimOutcome granted(const InvitationRecord& record, std::string name) {
    ClaimOutcome outcome;
    outcome.kind = Kind::granted;
    outcome.invitation = record.id;
    outcome.name = std::move(name);
    outcome.scopes = texts(record.scopes);
    return outcome;
}

// Somebody who was let in by this invitation before.
ClaimOutcome again(const InvitationRecord& record, const InvitationClaim& claim,
                   const std::vector<PeerRecord>& peers) {
    const auto peer = std::ranges::find(peers, claim.peer, &PeerRecord::id);
    return peer == peers.end() ? refused(record, "who joined by it was removed since")
                               : granted(record, peer->name);
}

result<ClaimOutcome> alarm(Database& state, const InvitationRecord& record, std::string why) {
    ALKNET_CHECK(state.run("UPDATE invitation SET alarms = alarms + 1 WHERE id = ?", {record.id}));
    ClaimOutcome outcome = refused(record, std::move(why));
    outcome.alarm = true;
    return outcome;
}

result<ClaimOutcome> wait(Database& state, const std::vector<InvitationRecord>& all,
                          const InvitationRecord& record, const InvitationClaim& claim) {
    if (record.draws >= kInvitationDrawsMax) {
        return alarm(state, record, "it has drawn digits often enough");
    }
    ALKNET_CHECK(state.run("UPDATE invitation SET draws = draws + 1 WHERE id = ?", {record.id}));
    if (code_is_taken(all, claim.code)) {
        return refused(record, "somebody else waits with the same digits");
    }
    ALKNET_CHECK(state.run("INSERT OR REPLACE INTO invitation_claim VALUES (?, ?, ?, ?, '')",
                           {record.id, claim.fingerprint, claim.name, claim.code}));
    ClaimOutcome outcome;
    outcome.kind = Kind::waiting;
    outcome.invitation = record.id;
    outcome.expires = record.expires;
    return outcome;
}

}  // namespace

std::string make_invitation_id() {
    std::array<std::byte, kIdBytes> random{};
    crypto::fill_random(random);
    return "inv-" + hex_encode(random);
}

const Scope* unconfirmed(const InvitationRecord& invitation,
                         std::span<const Scope> programs) noexcept {
    const auto risky = std::ranges::find_if(
        invitation.scopes, [&](const Scope& one) { return needs_confirmation(one, programs); });
    return invitation.confirm || risky == invitation.scopes.end() ? nullptr : &*risky;
}

result<void> add_invitation(Database& state, const InvitationRecord& invitation, WallTime now) {
    if (const Scope* const risky = unconfirmed(invitation, {})) {
        return fail(causes::kUsage, "whoever gets " + risky->text() +
                                        " by an invitation must be confirmed: add --confirm");
    }
    if (invitation.scopes.size() > kInvitationScopesMax) {
        return fail(causes::kLimit, "an invitation gives at most 32 scopes");
    }
    ALKNET_CHECK(
        state.run("DELETE FROM invitation WHERE expires < ?", {seconds(now - kInvitationKept)}));
    ALKNET_TRY(const auto rows, state.query("SELECT id FROM invitation"));
    if (rows.size() >= kInvitationsMax) {
        return fail(causes::kLimit,
                    "there are 256 invitations; take some back: alknet peer "
                    "uninvite ID");
    }
    const store::Value term =
        invitation.peer_expires ? store::Value(seconds(*invitation.peer_expires)) : store::Value();
    const auto renew = std::chrono::floor<std::chrono::seconds>(invitation.peer_renew).count();
    ALKNET_CHECK(
        state.run("INSERT INTO invitation VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?)",
                  {invitation.id, to_bytes(invitation.hash), invitation.name, invitation.only_for,
                   std::int64_t{invitation.confirm}, std::int64_t{invitation.uses_left},
                   seconds(invitation.expires), term, std::int64_t{renew}}));
    for (const Scope& scope : invitation.scopes) {
        ALKNET_CHECK(state.run("INSERT OR IGNORE INTO invitation_scope VALUES (?, ?)",
                               {invitation.id, scope.text()}));
    }
    return {};
}

result<std::vector<InvitationRecord>> load_invitations(Database& state) {
    ALKNET_TRY(
        const auto rows,
        state.query("SELECT id, hash, name, only_for, confirm, uses_left, expires, alarms,"
                    " draws, peer_expires, peer_renew FROM invitation ORDER BY expires DESC, id"));
    std::vector<InvitationRecord> all;
    Places places;
    for (const Row& row : rows) {
        ALKNET_TRY(InvitationRecord record, record_of(row));
        places.emplace(record.id, all.size());
        all.push_back(std::move(record));
    }
    ALKNET_CHECK(load_scopes(state, places, all));
    ALKNET_CHECK(load_claims(state, places, all));
    return all;
}

result<bool> remove_invitation(Database& state, std::string_view id) {
    ALKNET_TRY(const auto gone,
               state.query("DELETE FROM invitation WHERE id = ? RETURNING id", {std::string(id)}));
    return !gone.empty();
}

result<ClaimOutcome> claim_invitation(Database& state, const FixedPeers& fixed,
                                      const ClaimAttempt& attempt) {
    ALKNET_TRY(auto all, load_invitations(state));
    InvitationRecord* const record = find_secret(all, attempt.secret);
    if (record == nullptr) {
        return refused({}, "there is no such invitation");
    }
    const std::string fingerprint = attempt.joiner.fingerprint();
    ALKNET_TRY(const auto peers, known_peers(state, fixed));
    const InvitationClaim* const before = find_claim(*record, fingerprint);
    if (before != nullptr && !before->peer.empty()) {
        return again(*record, *before, peers);
    }
    const auto aliases = fingerprint_aliases(fingerprint);
    if (!record->only_for.empty() &&
        std::ranges::find(aliases, record->only_for) == aliases.end()) {
        return alarm(state, *record, "it is for another key");
    }
    if (record->uses_left == 0) {
        return alarm(state, *record, "it was used before");
    }
    if (attempt.now >= record->expires) {
        return refused(*record, "it has ended");
    }
    if (unconfirmed(*record, fixed.programs) != nullptr) {
        return refused(*record,
                       "its scopes need a confirmation by now: make another, with "
                       "--confirm");
    }
    if (is_known(peers, fingerprint)) {
        ClaimOutcome outcome = refused(*record, "this key is known already");
        outcome.kind = Kind::known;
        return outcome;
    }
    const InvitationClaim claim{.fingerprint = fingerprint,
                                .name = attempt.name,
                                .code = record->confirm ? attempt.code : "",
                                .peer = {}};
    if (record->confirm) {
        return wait(state, all, *record, claim);
    }
    const auto peer = grant(state, fixed, *record, claim);
    if (!peer && peer.error().is(causes::kConfigPending)) {
        return refused(*record, peer.error().message());
    }
    return peer ? result<ClaimOutcome>(granted(*record, peer->name)) : unexpected(peer.error());
}

result<ClaimOutcome> look_at_claim(Database& state, std::string_view invitation,
                                   std::string_view fingerprint, WallTime now) {
    ALKNET_TRY(auto all, load_invitations(state));
    const auto record = std::ranges::find(all, invitation, &InvitationRecord::id);
    if (record == all.end()) {
        return refused({}, "it was taken back");
    }
    const InvitationClaim* const claim = find_claim(*record, fingerprint);
    if (claim == nullptr) {
        return refused(*record, "its claim has gone");
    }
    if (!claim->peer.empty()) {
        ALKNET_TRY(const PeerList stored, load_peers(state));
        return again(*record, *claim, stored.peers);
    }
    if (record->uses_left == 0 || now >= record->expires) {
        return refused(*record, "it ended before it was confirmed");
    }
    ClaimOutcome outcome;
    outcome.kind = Kind::waiting;
    outcome.invitation = record->id;
    outcome.expires = record->expires;
    return outcome;
}

result<PeerRecord> confirm_claim(Database& state, const FixedPeers& fixed, std::string_view code,
                                 WallTime now) {
    ALKNET_TRY(const auto all, load_invitations(state));
    for (const InvitationRecord& record : all) {
        for (const InvitationClaim& claim : record.claims) {
            if (!claim.peer.empty() || claim.code.empty() || claim.code != code) {
                continue;
            }
            if (record.uses_left == 0 || now >= record.expires) {
                return fail(causes::kUsage, "the invitation " + record.id + " has ended");
            }
            ALKNET_TRY(const auto peers, known_peers(state, fixed));
            if (is_known(peers, claim.fingerprint)) {
                return fail(causes::kPeerExists, claim.fingerprint);
            }
            return grant(state, fixed, record, claim);
        }
    }
    return fail(causes::kUsage,
                "nobody waits with these digits; compare them again, and do not confirm others");
}

}  // namespace alknet::identity
