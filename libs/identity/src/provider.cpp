#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/identity/provider.hpp>
#include <alknet/identity/token.hpp>

namespace alknet::identity {

std::optional<WallTime> ConfigIdentityProvider::next_change() const {
    return peers_.get()->next_change(clock_.wall_now());
}

task<result<std::optional<Identity>>> ConfigIdentityProvider::resolve_from_fingerprint(
    std::string fingerprint) {
    const auto peers = peers_.get();
    const PeerRecord* peer = peers->find_fingerprint(fingerprint);
    co_return peer == nullptr ? std::nullopt : identity_of(*peer, clock_.wall_now());
}

task<result<std::optional<Identity>>> ConfigIdentityProvider::resolve_from_token(
    std::string token, std::string /*purpose*/) {
    co_return resolve_stored_token(*peers_.get(), token, clock_.wall_now());
}

task<result<std::optional<Identity>>> IdentityChain::resolve_from_fingerprint(
    std::string fingerprint) {
    for (const auto& provider : providers_) {
        ALKNET_CO_TRY(auto identity, co_await provider->resolve_from_fingerprint(fingerprint));
        if (identity) {
            co_return identity;
        }
    }
    co_return std::optional<Identity>();
}

task<result<std::optional<Identity>>> IdentityChain::resolve_from_token(std::string token,
                                                                        std::string purpose) {
    for (const auto& provider : providers_) {
        ALKNET_CO_TRY(auto identity, co_await provider->resolve_from_token(token, purpose));
        if (identity) {
            co_return identity;
        }
    }
    co_return std::optional<Identity>();
}

}  // namespace alknet::identity
