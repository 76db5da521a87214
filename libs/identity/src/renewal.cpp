#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/renewal.hpp>
#include <map>
#include <string_view>

namespace alknet::identity {

namespace {

using store::Database;
using store::Row;

using Seconds = std::chrono::seconds;

std::int64_t seconds(WallTime time) {
    return std::chrono::floor<Seconds>(time).time_since_epoch().count();
}

result<WallTime> time_of(std::int64_t value) {
    if (value < 0 || value > seconds(WallTime::max())) {
        return fail(causes::kStoreInvalid, "the time of a renewal is out of range");
    }
    return WallTime(Seconds(value));
}

bool is_of(const Renewal& renewal, const PeerRecord& peer) {
    const bool key = renewal.key.empty() ? peer.fingerprints.empty()
                                         : std::ranges::count(peer.fingerprints, renewal.key) != 0;
    return key && peer.expires == renewal.was;
}

}  // namespace

result<WallTime> renewed_term(const PeerRecord& peer, WallTime now) {
    const Standing standing = standing_of(peer, now);
    if (!may_renew(peer) || standing == Standing::disabled || standing == Standing::expired) {
        return fail(causes::kForbidden, "nothing lets " + peer.name + " renew its own term");
    }
    // Nor can it make the node write over and over again.
    const Duration before = std::min(kExpiryWarning, peer.renew / 2);
    if (now < *peer.expires && *peer.expires - now > before) {
        return fail(causes::kRenewEarly);
    }
    const WallTime until = now > WallTime::max() - peer.renew ? WallTime::max() : now + peer.renew;
    return std::chrono::ceil<Seconds>(until);
}

void apply_renewals(PeerList& list) {
    std::map<std::string_view, const Renewal*> renewals;
    for (const Renewal& one : list.renewals) {
        renewals.emplace(one.peer, &one);
    }
    for (PeerRecord& peer : list.peers) {
        const auto found = renewals.find(peer.id);
        if (found != renewals.end() && is_of(*found->second, peer) && may_renew(peer)) {
            peer.expires = std::max(*peer.expires, found->second->expires);
        }
    }
}

result<void> save_renewal(Database& state, const Renewal& renewal, WallTime now) {
    ALKNET_CHECK(state.run("DELETE FROM renewal WHERE expires < ?", {seconds(now - kExpiryGrace)}));
    return state.run("INSERT OR REPLACE INTO renewal VALUES (?, ?, ?, ?)",
                     {renewal.peer, renewal.key, seconds(renewal.was), seconds(renewal.expires)});
}

result<std::vector<Renewal>> load_renewals(Database& state) {
    ALKNET_TRY(const auto rows,
               state.query("SELECT peer, key, was, expires FROM renewal ORDER BY peer"));
    std::vector<Renewal> all;
    for (const Row& row : rows) {
        Renewal renewal{.peer = std::string(row.text(0)), .key = std::string(row.text(1))};
        ALKNET_TRY(renewal.was, time_of(row.integer(2)));
        ALKNET_TRY(renewal.expires, time_of(row.integer(3)));
        all.push_back(std::move(renewal));
    }
    return all;
}

}  // namespace alknet::identity
