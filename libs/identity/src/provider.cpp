#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/identity/provider.hpp>
#include <alknet/identity/token.hpp>

namespace alknet::identity {

std::optional<WallTime> ConfigIdentityProvider::next_change(WallTime after) const {
    return peers_.get()->next_change(after);
}

task<result<std::optional<Identity>>> ConfigIdentityProvider::resolve_from_fingerprint(
    std::string fingerprint) {
    const auto peers = peers_.get();
    const PeerRecord* peer = peers->find_fingerprint(fingerprint);
    const WallTime now = clock_.wall_now();
    co_return peer == nullptr || !key_holds(*peer, fingerprint, now) ? std::nullopt
                                                                     : identity_of(*peer, now);
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

task<result<std::optional<Identity>>> IdentityChain::recheck_token(std::string token,
                                                                   std::string purpose) {
    for (const auto& provider : providers_) {
        ALKNET_CO_TRY(auto identity, co_await provider->recheck_token(token, purpose));
        if (identity) {
            co_return identity;
        }
    }
    co_return std::optional<Identity>();
}

// One that holds is asked for often, and said no more of.
task<result<std::optional<Identity>>> AuditedIdentities::recheck_token(std::string token,
                                                                       std::string purpose) {
    auto outcome = co_await inner_->recheck_token(std::move(token), purpose);
    if (outcome ? !*outcome : outcome.error().is(errc::forbidden)) {
        AuditEntry entry{.event = "token.ended"};
        entry.service = std::move(purpose);
        entry.repeats = true;  // of each of its sessions
        entry.reason = causes::kTokenInvalid.id;
        audit_->record(std::move(entry));
    }
    co_return outcome;
}

// Acceptance is told when it is shown in earnest.
task<result<std::optional<Identity>>> AuditedIdentities::preview_token(std::string token,
                                                                       std::string purpose) {
    auto outcome = co_await inner_->preview_token(std::move(token), purpose);
    if (outcome ? !*outcome : outcome.error().is(errc::forbidden)) {
        AuditEntry entry{.event = "token.refused"};
        entry.service = std::move(purpose);
        entry.repeats = true;
        entry.reason = outcome ? causes::kTokenInvalid.id : outcome.error().cause().id;
        audit_->record(std::move(entry));
    }
    co_return outcome;
}

task<result<std::optional<Identity>>> AuditedIdentities::resolve_from_token(std::string token,
                                                                            std::string purpose) {
    ALKNET_CO_CHECK(audit_->ready());
    auto outcome = co_await inner_->resolve_from_token(std::move(token), purpose);
    if (!outcome && outcome.error().is(errc::cancelled)) {
        co_return outcome;
    }
    AuditEntry entry{.event = outcome && *outcome ? "token.accepted" : "token.refused"};
    entry.service = std::move(purpose);
    entry.repeats = true;
    if (!outcome) {
        entry.reason = outcome.error().cause().id;
    } else if (*outcome) {
        entry.peer = (*outcome)->id;
    } else {
        entry.reason = causes::kTokenInvalid.id;
    }
    audit_->record(std::move(entry));
    co_return outcome;
}

}  // namespace alknet::identity
