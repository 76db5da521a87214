// What `alknet renew` asks another node for: a peer renews its own term.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/renewal.hpp>
#include <alknet/identity/state.hpp>
#include <array>
#include <utility>

#include "desk.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::PeerList;
using identity::PeerRecord;

// Who stands in state.db gets the new end there; for who stands in alknet.toml it is kept besides.
result<void> keep(const Desk& desk, store::Database& state, const PeerList& stored,
                  const PeerRecord& peer) {
    const auto own = std::ranges::find(stored.peers, peer.id, &PeerRecord::id);
    if (own != stored.peers.end()) {
        PeerRecord record = *own;
        record.expires = peer.expires;
        return identity::save_peer(state, record);
    }
    const PeerList written = written_peers(place_of(desk.home), desk.config.dynamic, stored).list;
    const auto entry = std::ranges::find(written.peers, peer.id, &PeerRecord::id);
    if (entry == written.peers.end() || !entry->expires) {
        return fail(causes::kUnknownPeer, peer.name);
    }
    return identity::save_renewal(
        state,
        {.peer = entry->id,
         .key = entry->fingerprints.empty() ? std::string() : entry->fingerprints.front(),
         .was = *entry->expires,
         .expires = *peer.expires},
        desk.now);
}

result<TermRenewed> renew(const Desk& desk, store::Database& state, const Nothing& /*input*/) {
    if (desk.caller.local()) {
        return fail(causes::kUsage, "whose term? At the machine itself: alknet peer renew NAME");
    }
    ALKNET_TRY(const PeerList stored, identity::load_peers(state));
    ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
    const PeerRecord* found = peers->find(desk.caller.peer);
    if (found == nullptr) {
        return fail(causes::kForbidden, "only a peer has a term to renew");
    }
    PeerRecord peer = *found;
    ALKNET_TRY(peer.expires, identity::renewed_term(*found, desk.now));
    ALKNET_CHECK(keep(desk, state, stored, peer));
    AuditEntry entry{.event = "peer.renewed"};
    entry.peer = peer.id;
    entry.more = {{"name", peer.name}, {"expires", time_text(*peer.expires)}, desk.caller.named()};
    desk.audit(std::move(entry));
    return TermRenewed{.expires = time_text(*peer.expires)};
}

constexpr std::array kErrors = {&causes::kForbidden, &causes::kRenewEarly};

constexpr std::array kOperations = {
    changing<renew>({.name = kOwnRenewal,
                     .scope = kRenewScope,
                     .about = "renew one's own term, as far as the node lets one",
                     .errors = kErrors}),
};

}  // namespace

std::span<const DeskOperation> renewal_operations() noexcept {
    return kOperations;
}

}  // namespace alknet::app
