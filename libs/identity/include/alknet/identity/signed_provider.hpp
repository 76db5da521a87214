// SignedTokenProvider: peers by the tokens that their keys have signed.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/identity/provider.hpp>
#include <alknet/identity/signed_token.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/store/store.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

struct SignedTokenOptions {
    NodeId audience{};  // this node
    SignedTokenRules rules{};
    std::shared_ptr<const ConfigIdentityProvider> peers{};
    /// Where that is kept which a restart must not forget; null: nowhere, for tests without
    /// restarts.
    std::shared_ptr<store::Store> state{};
    std::vector<NewestToken> newest{};  // what is kept there
};

/// One token opens one session. Thread-safe.
class SignedTokenProvider final : public IdentityProvider {
public:
    /// Made when the node starts: older tokens are refused. `clock` outlives this.
    SignedTokenProvider(const Clock& clock, SignedTokenOptions options);

    void set_rules(const SignedTokenRules& rules);
    /// The node has another key: tokens for the old one are refused from now on.
    void set_audience(const NodeId& audience);

    /// Knows nobody by a fingerprint.
    task<result<std::optional<Identity>>> resolve_from_fingerprint(
        std::string fingerprint) override;
    /// nullopt for what does not have the form of a signed token. Errors: kTokenInvalid for what
    /// has it and does not verify, is of a peer that is disabled or expired, is too old, too young
    /// or used; kLimit; those of the store, when a use could not be kept.
    task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                             std::string purpose) override;
    /// However old it is by now.
    task<result<std::optional<Identity>>> recheck_token(std::string token,
                                                        std::string purpose) override;

private:
    struct Shown;
    [[nodiscard]] result<std::optional<Shown>> look_at(std::string_view token,
                                                       std::string_view purpose) const;
    [[nodiscard]] SignedTokenRules rules() const;
    [[nodiscard]] NodeId audience() const;
    [[nodiscard]] std::uint64_t started_s(WallTime wall_now) const;
    [[nodiscard]] result<void> use(const SignedToken& token, const NodeId& signer, Bytes message,
                                   WallTime now);

    const Clock& clock_;
    const SignedTokenOptions options_;
    const Duration started_;  // by the steady clock, suspensions included
    mutable std::mutex mutex_;
    SignedTokenRules rules_;
    NodeId audience_;
    UsedTokens used_;
};

}  // namespace alknet::identity
