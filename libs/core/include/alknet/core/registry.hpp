// HandlerRegistry: which ALPN names are served, by whom and under which conditions. It can change
// while the node runs: a removed handler drains, its connections are not cut.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/handler.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet {

/// What the endpoint demands before a handler sees a connection.
struct AlpnPolicy {
    bool identity_required = false;  // else close code 2 (stranger)
    /// What a known peer must have besides, where identity_required; null: nothing. The peer is
    /// told the detail of kScopeMissing, and nothing of other errors. Any thread, not blocking.
    std::function<result<void>(const Identity&)> demand{};
    /// Lets a peer in whose term has ended and who may renew it: the service answers it nothing
    /// else.
    bool renews = false;
    bool quic = true;  // transports allowed
    bool tcp = true;
    bool iroh = true;
};

/// Whether this identity may use a service with this policy over this transport. Errors:
/// kForbidden for the transport, or when the identity's term has ended; kAuthRequired; those of
/// AlpnPolicy::demand.
[[nodiscard]] result<void> admit(const AlpnPolicy& policy, Transport transport,
                                 const std::optional<Identity>& identity);

struct RegisteredHandler {
    std::shared_ptr<ProtocolHandler> handler;
    AlpnPolicy policy;
};

/// Belongs to one loop, as its handlers do; listeners read it while choosing an ALPN.
class HandlerRegistry {
public:
    /// Serves all of the handler's names. Errors: kAlpnInvalid; kConfigInvalid for a
    /// name that is taken.
    result<void> add(std::shared_ptr<ProtocolHandler> handler, AlpnPolicy policy = {});
    /// Further name for a handler that is served as `alpn`. Errors: kNoHandler, kConfigInvalid.
    result<void> add_alias(std::string_view alias, std::string_view alpn);
    /// Takes one name out; returns false if it was not there.
    bool remove(std::string_view alpn);
    bool set_policy(std::string_view alpn, AlpnPolicy policy);

    [[nodiscard]] const RegisteredHandler* find(std::string_view alpn) const noexcept;
    /// In the order in which they were added.
    [[nodiscard]] std::vector<std::string> alpns() const;
    /// Every distinct handler once.
    [[nodiscard]] std::vector<std::shared_ptr<ProtocolHandler>> handlers() const;

private:
    std::vector<std::string> order_;
    std::map<std::string, RegisteredHandler, std::less<>> by_alpn_;
};

}  // namespace alknet
