// Providers of identities: the peers that a node's owner wrote down, and several providers in a
// row.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/audit.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/rt/snapshot.hpp>
#include <alknet/rt/time.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

/// What alknet.toml and state.db say. Thread-safe.
class ConfigIdentityProvider final : public IdentityProvider {
public:
    /// `clock` outlives this.
    ConfigIdentityProvider(const Clock& clock, std::shared_ptr<const PeerDirectory> peers)
        : clock_(clock), peers_(std::move(peers)) {}

    /// Who has resolved keeps what it got; for live connections there is
    /// Endpoint::recheck_identities, also when `next_change` has come.
    void replace(std::shared_ptr<const PeerDirectory> peers) { peers_.set(std::move(peers)); }
    [[nodiscard]] std::shared_ptr<const PeerDirectory> peers() const { return peers_.get(); }
    /// The first moment after `after` at which what this gives changes by time alone. It may be
    /// past already: who follows the changes gives the time of the last look, so that none falls
    /// between.
    [[nodiscard]] std::optional<WallTime> next_change(WallTime after) const;

    task<result<std::optional<Identity>>> resolve_from_fingerprint(
        std::string fingerprint) override;
    /// API keys and peers' tokens, by their digest. Errors: kTokenInvalid for one that is known and
    /// expired, or whose peer is disabled or expired.
    task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                             std::string purpose) override;

private:
    const Clock& clock_;
    Snapshot<PeerDirectory> peers_;
};

/// Asks one after the other; the first that knows answers, and an error is an answer: nothing falls
/// back to what another provider might say.
class IdentityChain final : public IdentityProvider {
public:
    explicit IdentityChain(std::vector<std::shared_ptr<IdentityProvider>> providers) noexcept
        : providers_(std::move(providers)) {}

    task<result<std::optional<Identity>>> resolve_from_fingerprint(
        std::string fingerprint) override;
    task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                             std::string purpose) override;
    task<result<std::optional<Identity>>> recheck_token(std::string token,
                                                        std::string purpose) override;

private:
    const std::vector<std::shared_ptr<IdentityProvider>> providers_;
};

/// Tells an audit log what became of tokens, without a word of them. What keys give is told by the
/// endpoint, which knows the connection. Thread-safe if `inner` is.
class AuditedIdentities final : public IdentityProvider {
public:
    AuditedIdentities(std::shared_ptr<IdentityProvider> inner, std::shared_ptr<AuditSink> audit)
        : inner_(std::move(inner)), audit_(std::move(audit)) {}

    task<result<std::optional<Identity>>> resolve_from_fingerprint(
        std::string fingerprint) override {
        return inner_->resolve_from_fingerprint(std::move(fingerprint));
    }
    /// Errors: those of `inner`; those of AuditSink::ready.
    task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                             std::string purpose) override;
    task<result<std::optional<Identity>>> recheck_token(std::string token,
                                                        std::string purpose) override;
    task<result<std::optional<Identity>>> preview_token(std::string token,
                                                        std::string purpose) override;

private:
    const std::shared_ptr<IdentityProvider> inner_;
    const std::shared_ptr<AuditSink> audit_;
};

}  // namespace alknet::identity
