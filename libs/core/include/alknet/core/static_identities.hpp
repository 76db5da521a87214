// StaticIdentityProvider: the peers that a configuration lists, found by what TLS proved.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/rt/snapshot.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace alknet {

/// One peer of the list. Two peers may not share a fingerprint.
struct StaticPeer {
    Identity identity;  // its id is stable and not empty; not the key
    /// Of a raw key in any form that NodeId::parse takes, or `x509-sha256:<64 hex>`.
    std::vector<std::string> fingerprints;
    bool enabled = true;  // a disabled peer is a stranger
};

/// The canonical text of a fingerprint as a person wrote it. Errors: kKeyInvalid.
[[nodiscard]] result<std::string> canonical_fingerprint(std::string_view text);

/// An immutable list that `replace` swaps: who has resolved keeps what it got. Thread-safe.
class StaticIdentityProvider final : public IdentityProvider {
public:
    static constexpr std::size_t kPeersMax = 100'000;
    static constexpr std::size_t kFingerprintsPerPeerMax = 64;

    /// Errors: kConfigInvalid with the peer's id (no id, an id or a fingerprint twice, too many);
    /// kKeyInvalid.
    static result<std::shared_ptr<StaticIdentityProvider>> create(std::vector<StaticPeer> peers);
    /// All or nothing; errors as above. What has changed for live connections is for
    /// Endpoint::recheck_identities.
    result<void> replace(std::vector<StaticPeer> peers);

    task<result<std::optional<Identity>>> resolve_from_fingerprint(
        std::string fingerprint) override;
    [[nodiscard]] std::size_t size() const noexcept;

private:
    struct List {
        std::vector<Identity> identities;
        std::map<std::string, std::size_t, std::less<>> by_fingerprint;
    };
    StaticIdentityProvider() = default;
    static result<std::shared_ptr<const List>> index(std::vector<StaticPeer> peers);

    Snapshot<List> list_{std::make_shared<const List>()};
};

}  // namespace alknet
