// KeyUse: a peer that shows a key it has said it would have does not need the one before any more.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/identity/provider.hpp>
#include <alknet/store/store.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace alknet::identity {

struct KeyUseOptions {
    std::shared_ptr<const ConfigIdentityProvider> peers;
    std::shared_ptr<store::Store> state;
    /// A key has ended: the node is to read its state again. Any thread; null: it does anyway.
    std::function<void()> changed;
    Log log;
};

/// Answers as `inner` does. The first time that a key which was to come is shown, the keys before
/// it end in the state; where that cannot be written, they end when their time is over. Thread-safe
/// if `inner` is.
class KeyUse final : public IdentityProvider {
public:
    KeyUse(std::shared_ptr<IdentityProvider> inner, KeyUseOptions options)
        : inner_(std::move(inner)), options_(std::move(options)) {}

    task<result<std::optional<Identity>>> resolve_from_fingerprint(
        std::string fingerprint) override;
    task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                             std::string purpose) override {
        return inner_->resolve_from_token(std::move(token), std::move(purpose));
    }
    task<result<std::optional<Identity>>> recheck_token(std::string token,
                                                        std::string purpose) override {
        return inner_->recheck_token(std::move(token), std::move(purpose));
    }
    task<result<std::optional<Identity>>> preview_token(std::string token,
                                                        std::string purpose) override {
        return inner_->preview_token(std::move(token), std::move(purpose));
    }

private:
    const std::shared_ptr<IdentityProvider> inner_;
    const KeyUseOptions options_;
};

}  // namespace alknet::identity
