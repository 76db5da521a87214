#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_audit.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/rotation_state.hpp>
#include <alknet/identity/state.hpp>
#include <utility>

namespace alknet::identity {

namespace {

using store::Database;
using store::Row;

result<PeerList> everybody(Database& state, const PeerList& fixed) {
    ALKNET_TRY(PeerList list, load_peers(state));
    list.peers.insert(list.peers.end(), fixed.peers.begin(), fixed.peers.end());
    list.roles.insert(list.roles.end(), fixed.roles.begin(), fixed.roles.end());
    return list;
}

bool has_key(const PeerDirectory& peers, const Rotation& rotation, WallTime now) {
    const std::string key = rotation.from.fingerprint();
    const PeerRecord* peer = peers.find_fingerprint(key);
    return peer != nullptr && key_holds(*peer, key, now);
}

KeyChange change_of(const Rotation& rotation) {
    return {.from = rotation.from,
            .to = rotation.to,
            .ends = WallTime(std::chrono::seconds(rotation.not_after))};
}

// Adds those that are new. Errors: kRotationInvalid; kLimit.
result<bool> add_changes(Database& state, PeerList& list, std::span<const Rotation> chain,
                         WallTime now) {
    bool changed = false;
    for (const Rotation& link : chain) {
        ALKNET_CHECK(check_rotation(link, now));
        ALKNET_CHECK(check_history(list.changes, link));
        if (std::ranges::count(list.changes, link.from, &KeyChange::from) != 0) {
            continue;
        }
        if (list.changes.size() >= kKeyChangesMax) {
            return fail(causes::kLimit, "kKeyChangesMax: too many keys have changed");
        }
        const KeyChange change = change_of(link);
        list.changes.push_back(change);
        ALKNET_CHECK(state.run("INSERT INTO key_change VALUES (?, ?, ?, 0)",
                               {change.from.fingerprint(), change.to.fingerprint(),
                                static_cast<std::int64_t>(link.not_after)}));
        changed = true;
    }
    return changed;
}

}  // namespace

result<std::vector<KeyChange>> load_key_changes(Database& state) {
    ALKNET_TRY(const auto rows,
               state.query("SELECT old, new, ends, used FROM key_change ORDER BY old"));
    std::vector<KeyChange> all;
    for (const Row& row : rows) {
        const auto from = key_of_fingerprint(row.text(0));
        const auto to = key_of_fingerprint(row.text(1));
        constexpr auto kMax = std::chrono::floor<std::chrono::seconds>(WallTime::max());
        const std::int64_t ends = row.integer(2);
        if (!from || !to || ends < 0 || ends > kMax.time_since_epoch().count()) {
            return fail(causes::kStoreInvalid, "a change of a key makes no sense");
        }
        all.push_back({.from = *from,
                       .to = *to,
                       .ends = WallTime(std::chrono::seconds(ends)),
                       .used = row.integer(3) != 0});
    }
    return all;
}

result<AcceptedChange> accept_key_change(Database& state, const PeerList& fixed,
                                         std::span<const Rotation> chain, WallTime now) {
    ALKNET_TRY(PeerList list, everybody(state, fixed));
    ALKNET_TRY(const auto before, PeerDirectory::create(list));
    while (!chain.empty() && !has_key(*before, chain.front(), now)) {
        chain = chain.subspan(1);
    }
    if (chain.empty() || chain.size() > kRotationChainMax) {
        return fail(causes::kRotationInvalid, "no peer has the key that goes");
    }
    for (std::size_t i = 1; i < chain.size(); ++i) {
        if (chain[i - 1].to != chain[i].from) {
            return fail(causes::kRotationInvalid, "the statements do not follow one another");
        }
    }
    ALKNET_TRY(RotatedPeer peer, accept_rotation(*before, chain.front(), now));
    AcceptedChange accepted{.id = peer.id,
                            .name = std::move(peer.name),
                            .from = chain.front().from,
                            .to = chain.back().to,
                            .ends = change_of(chain.front()).ends};
    ALKNET_TRY(accepted.changed, add_changes(state, list, chain, now));
    ALKNET_TRY(const auto after, PeerDirectory::create(std::move(list)));
    const PeerRecord* owner = after->find_fingerprint(accepted.to.fingerprint());
    if (owner == nullptr) {
        return fail(causes::kLimit, accepted.name + " has changed its key 64 times; add it anew");
    }
    if (owner->id != accepted.id) {
        return fail(causes::kRotationInvalid, "the key that comes is " + owner->name + "'s");
    }
    return accepted;
}

result<bool> end_old_keys(Database& state, const NodeId& shown) {
    bool ended = false;
    std::string key = shown.fingerprint();
    for (std::size_t hops = 0; hops < kFingerprintsPerPeerMax; ++hops) {
        ALKNET_TRY(const auto rows, state.query("UPDATE key_change SET used = 1 WHERE new = ? AND "
                                                "used = 0 RETURNING old",
                                                {key}));
        if (rows.empty()) {
            break;
        }
        ended = true;
        key = rows.front().text(0);
    }
    return ended;
}

result<void> forget_key_changes(Database& state, const std::vector<std::string>& keys) {
    ALKNET_TRY(const auto changes, load_key_changes(state));
    for (std::string key : keys) {
        for (std::size_t hops = 0; hops < kFingerprintsPerPeerMax; ++hops) {
            const auto found = std::ranges::find_if(changes, [&key](const KeyChange& one) {
                return std::ranges::count(fingerprint_aliases(one.from.fingerprint()), key) != 0;
            });
            if (found == changes.end()) {
                break;
            }
            ALKNET_CHECK(
                state.run("DELETE FROM key_change WHERE old = ?", {found->from.fingerprint()}));
            key = found->to.fingerprint();
        }
    }
    return {};
}

}  // namespace alknet::identity
