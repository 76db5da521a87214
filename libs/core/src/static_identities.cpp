#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/crypto/node_id.hpp>
#include <set>

namespace alknet {

namespace {

constexpr std::string_view kX509Prefix = "x509-sha256:";
constexpr std::size_t kDigestChars = 64;

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_hex(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

result<std::string> canonical_fingerprint(std::string_view text) {
    if (text.starts_with(kX509Prefix)) {
        std::string canonical(text);
        std::ranges::transform(canonical, canonical.begin(), lower);
        const std::string_view digest = std::string_view(canonical).substr(kX509Prefix.size());
        if (digest.size() != kDigestChars || !std::ranges::all_of(digest, is_hex)) {
            return fail(causes::kKeyInvalid, "x509-sha256: takes 64 hex digits");
        }
        return canonical;
    }
    ALKNET_TRY(const NodeId id, NodeId::parse(text));
    return id.fingerprint();
}

result<std::shared_ptr<StaticIdentityProvider>> StaticIdentityProvider::create(
    std::vector<StaticPeer> peers) {
    std::shared_ptr<StaticIdentityProvider> provider(new StaticIdentityProvider);
    ALKNET_CHECK(provider->replace(std::move(peers)));
    return provider;
}

result<void> StaticIdentityProvider::replace(std::vector<StaticPeer> peers) {
    ALKNET_TRY(auto list, index(std::move(peers)));
    list_.set(std::move(list));
    return {};
}

result<std::shared_ptr<const StaticIdentityProvider::List>> StaticIdentityProvider::index(
    std::vector<StaticPeer> peers) {
    if (peers.size() > kPeersMax) {
        return fail(causes::kConfigInvalid, "more than 100000 peers");
    }
    auto list = std::make_shared<List>();
    std::set<std::string> ids;
    std::set<std::string> fingerprints;
    for (StaticPeer& peer : peers) {
        const std::string& id = peer.identity.id;
        if (id.empty() || !ids.insert(id).second) {
            return fail(causes::kConfigInvalid, "peer \"" + id + "\": ids are unique, not empty");
        }
        if (peer.fingerprints.size() > kFingerprintsPerPeerMax) {
            return fail(causes::kConfigInvalid, "peer " + id + ": more than 64 fingerprints");
        }
        for (const std::string& text : peer.fingerprints) {
            auto canonical = canonical_fingerprint(text);
            if (!canonical) {
                return unexpected(std::move(canonical).error().within("peer " + id));
            }
            if (!fingerprints.insert(*canonical).second) {
                return fail(causes::kConfigInvalid, "peer " + id + ": " + *canonical + " is taken");
            }
            if (peer.enabled) {
                list->by_fingerprint.emplace(std::move(*canonical), list->identities.size());
            }
        }
        list->identities.push_back(std::move(peer.identity));
    }
    return list;
}

task<result<std::optional<Identity>>> StaticIdentityProvider::resolve_from_fingerprint(
    std::string fingerprint) {
    const std::shared_ptr<const List> list = list_.get();
    std::optional<Identity> identity;
    const auto found = list->by_fingerprint.find(fingerprint);
    if (found != list->by_fingerprint.end()) {
        identity = list->identities[found->second];
    }
    co_return identity;
}

std::size_t StaticIdentityProvider::size() const noexcept {
    return list_.get()->identities.size();
}

}  // namespace alknet
