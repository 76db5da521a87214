#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/registry.hpp>
#include <alknet/tls/context.hpp>
#include <set>

namespace alknet {

namespace {

bool transport_allowed(const AlpnPolicy& policy, Transport transport) noexcept {
    switch (transport) {
        case Transport::quic:
            return policy.quic;
        case Transport::tcp:
            return policy.tcp;
        case Transport::iroh:
            return policy.iroh;
        case Transport::local:
        case Transport::memory:
            return true;  // the node itself made these
    }
    return false;
}

}  // namespace

result<void> admit(const AlpnPolicy& policy, Transport transport,
                   const std::optional<Identity>& identity) {
    if (!transport_allowed(policy, transport)) {
        return fail(causes::kForbidden, "not over this transport");
    }
    if (!policy.identity_required) {
        return {};
    }
    if (!identity) {
        return fail(causes::kAuthRequired, "only known peers may use this service");
    }
    if (identity->renewal_only) {
        const bool renewable = std::ranges::count(identity->scopes, kRenewScope) != 0;
        return policy.renews && renewable
                   ? result<void>()
                   : fail(causes::kForbidden, "the term of " + identity->id + " has ended");
    }
    return policy.demand ? policy.demand(*identity) : result<void>();
}

result<void> HandlerRegistry::add(std::shared_ptr<ProtocolHandler> handler, AlpnPolicy policy) {
    const std::vector<std::string> names = handler->alpns();
    if (names.empty()) {
        return fail(causes::kAlpnInvalid, "the handler serves no name");
    }
    std::set<std::string_view> distinct;
    for (const std::string& name : names) {
        ALKNET_CHECK(tls::check_alpn(name));
        if (by_alpn_.contains(name) || !distinct.insert(name).second) {
            return fail(causes::kConfigInvalid, "the service " + name + " is registered twice");
        }
    }
    for (const std::string& name : names) {
        by_alpn_.emplace(name, RegisteredHandler{handler, policy});
        order_.push_back(name);
    }
    return {};
}

result<void> HandlerRegistry::add_alias(std::string_view alias, std::string_view alpn) {
    ALKNET_CHECK(tls::check_alpn(alias));
    const RegisteredHandler* target = find(alpn);
    if (target == nullptr) {
        return fail(causes::kNoHandler, std::string(alpn));
    }
    if (find(alias) != nullptr) {
        return fail(causes::kConfigInvalid,
                    "the service " + std::string(alias) + " is registered twice");
    }
    by_alpn_.emplace(alias, RegisteredHandler(*target));
    order_.emplace_back(alias);
    return {};
}

bool HandlerRegistry::remove(std::string_view alpn) {
    const auto found = by_alpn_.find(alpn);
    if (found == by_alpn_.end()) {
        return false;
    }
    std::erase(order_, found->first);
    by_alpn_.erase(found);
    return true;
}

bool HandlerRegistry::set_policy(std::string_view alpn, AlpnPolicy policy) {
    const auto found = by_alpn_.find(alpn);
    if (found == by_alpn_.end()) {
        return false;
    }
    found->second.policy = policy;
    return true;
}

const RegisteredHandler* HandlerRegistry::find(std::string_view alpn) const noexcept {
    const auto found = by_alpn_.find(alpn);
    return found == by_alpn_.end() ? nullptr : &found->second;
}

std::vector<std::string> HandlerRegistry::alpns() const {
    return order_;
}

std::vector<std::shared_ptr<ProtocolHandler>> HandlerRegistry::handlers() const {
    std::vector<std::shared_ptr<ProtocolHandler>> distinct;
    for (const std::string& name : order_) {
        const std::shared_ptr<ProtocolHandler>& handler = by_alpn_.find(name)->second.handler;
        if (std::ranges::find(distinct, handler) == distinct.end()) {
            distinct.push_back(handler);
        }
    }
    return distinct;
}

}  // namespace alknet
