#include "key_follower.hpp"

#include <algorithm>
#include <alknet/identity/rotate.hpp>
#include <alknet/identity/rotation_state.hpp>
#include <alknet/identity/state.hpp>
#include <utility>

#include "audit_change.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::KeyChange;
using identity::Rotation;

result<std::vector<Rotation>> accept(store::Database& database, const config::Home& home,
                                     const std::vector<Rotation>& chain, WallTime now) {
    ALKNET_TRY(const config::Config config, home.load_config());
    ALKNET_TRY(identity::PeerList stored, identity::load_peers(database));
    const identity::PeerList fixed = written_peers(place_of(home), config.dynamic, stored).list;
    for (const Rotation& link : chain) {
        ALKNET_CHECK(identity::check_history(stored.changes, link));
    }
    identity::PeerList list = fixed;
    list.peers.insert(list.peers.end(), stored.peers.begin(), stored.peers.end());
    list.changes = stored.changes;
    ALKNET_TRY(const auto peers, identity::PeerDirectory::create(std::move(list)));
    const bool known = std::ranges::any_of(chain, [&](const Rotation& link) {
        return peers->find_fingerprint(link.from.fingerprint()) != nullptr;
    });
    if (!known) {
        return std::vector<Rotation>();  // of nobody whom this home knows
    }
    ALKNET_TRY(const auto accepted, identity::accept_key_change(database, fixed, chain, now));
    if (accepted.changed) {
        ALKNET_TRY(const std::string revision, revision_now(home, stored));
        ALKNET_CHECK(audit_change(home, config, identity::audit_entry(accepted), revision));
    }
    return chain;
}

}  // namespace

void follow_key_changes(std::vector<config::Peer>& peers, const std::vector<KeyChange>& changes,
                        WallTime now) {
    if (changes.empty()) {
        return;
    }
    identity::PeerList list;
    list.changes = changes;
    for (const config::Peer& peer : peers) {
        list.peers.emplace_back().fingerprints = peer.keys;
    }
    identity::apply_key_changes(list);
    for (std::size_t i = 0; i < peers.size(); ++i) {
        identity::PeerRecord& peer = list.peers[i];
        std::erase_if(peer.fingerprints,
                      [&](const std::string& key) { return !identity::key_holds(peer, key, now); });
        peers[i].keys = std::move(peer.fingerprints);
    }
}

bool KeyFollower::leads(const NodeId& from, const NodeId& to) const {
    NodeId key = from;
    for (std::size_t hops = 0; hops < identity::kFingerprintsPerPeerMax; ++hops) {
        const auto found = std::ranges::find(changes_, key, &KeyChange::from);
        if (found == changes_.end()) {
            return false;
        }
        key = found->to;
        if (key == to) {
            return true;
        }
    }
    return false;
}

task<result<std::optional<NodeId>>> KeyFollower::successor(NodeAddress address, DialOptions options,
                                                           NodeId pinned) {
    options.alpns = {std::string(identity::kRotateAlpn)};
    options.verify = tls::VerifyNothing{};
    address.id.reset();
    ALKNET_CO_TRY(const auto connection,
                  co_await stranger_.dial(std::move(address), std::move(options)));
    const PeerIdentity peer = connection->info().peer;
    if (peer.kind != PeerIdentity::Kind::raw_key || peer.key == pinned) {
        connection->close(close_code::kOk, {});
        co_return std::nullopt;
    }
    if (leads(pinned, peer.key)) {
        connection->close(close_code::kOk, {});
        co_return peer.key;
    }
    const auto all = co_await identity::ask_rotations(connection);
    connection->close(close_code::kOk, {});
    if (!all) {
        co_return unexpected(all.error());
    }
    ALKNET_CO_TRY(const auto chain,
                  identity::chain_between(*all, pinned, peer.key, loop_.wall_now()));
    ALKNET_CO_CHECK(believe(chain));
    co_return peer.key;
}

result<void> KeyFollower::believe(const std::vector<Rotation>& chain) {
    if (!home_) {
        return {};
    }
    ALKNET_TRY(const auto state, open_state(*home_));
    ALKNET_TRY(const auto kept, state->transaction([&](store::Database& database) {
        return accept(database, *home_, chain, loop_.wall_now());
    }));
    if (!kept.empty()) {
        ALKNET_TRY(changes_, identity::load_key_changes(*state));
    }
    return {};
}

void KeyFollower::reached(const NodeId& key) {
    const auto found = std::ranges::find_if(
        changes_, [&](const KeyChange& one) { return one.to == key && !one.used; });
    if (found == changes_.end() || !home_) {
        return;
    }
    const auto state = open_state(*home_);
    if (!state) {
        return;  // the old key ends when its time is over
    }
    (void)(*state)->transaction(
        [&](store::Database& database) { return identity::end_old_keys(database, key); });
    if (auto changes = identity::load_key_changes(**state)) {
        changes_ = *std::move(changes);
    }
}

}  // namespace alknet::app
