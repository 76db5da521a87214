#include <algorithm>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/key_use.hpp>
#include <alknet/identity/rotation_state.hpp>

namespace alknet::identity {

namespace {

bool to_come(const PeerDirectory& peers, const NodeId& key) {
    return std::ranges::any_of(peers.changes(),
                               [&key](const KeyChange& one) { return !one.used && one.to == key; });
}

}  // namespace

task<result<std::optional<Identity>>> KeyUse::resolve_from_fingerprint(std::string fingerprint) {
    ALKNET_CO_TRY(auto identity, co_await inner_->resolve_from_fingerprint(fingerprint));
    const auto peers = options_.peers->peers();
    if (!identity || peers->changes().empty()) {
        co_return identity;
    }
    const auto key = key_of_fingerprint(fingerprint);
    if (!key || !to_come(*peers, *key)) {
        co_return identity;
    }
    const auto ended = co_await options_.state->transact(
        [shown = *key](store::Database& state) { return end_old_keys(state, shown); });
    if (!ended && ended.error().is(errc::cancelled)) {
        co_return unexpected(ended.error());
    }
    if (!ended) {
        options_.log.warn("peer.key_not_ended", {{"detail", ended.error().message()}});
    } else if (*ended && options_.changed) {
        options_.changed();
    }
    co_return identity;
}

}  // namespace alknet::identity
