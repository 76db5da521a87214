// Who is on the other side, as far as the node knows when a handler starts.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/task.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet {

/// The scope for renewing one's own term, which comes and goes with it.
inline constexpr std::string_view kRenewScope = "peer:renew";

/// A peer record's public face. `id` is stable and is never the key.
struct Identity {
    std::string id;
    std::vector<std::string> scopes;
    std::map<std::string, std::vector<std::string>> resources;
    /// Its term has ended: no service for known peers admits it, but one that renews it.
    bool renewal_only = false;
    bool operator==(const Identity&) const = default;
};

/// What the transport proved, resolved; given to a handler by value.
struct AuthContext {
    std::string alpn;
    Transport transport = Transport::memory;
    SocketAddress remote;
    PeerIdentity peer;
    std::optional<Identity> identity;  // nullopt: a stranger
};

/// Resolves what was proven. Asynchronous and cancellable: it may ask a disk or a directory.
/// Thread-safe: asked on every loop of the node, and answers there.
class IdentityProvider {
public:
    virtual ~IdentityProvider() = default;
    /// `fingerprint` in canonical text. nullopt: not known here. Errors: kCancelled, kUnavailable…
    virtual task<result<std::optional<Identity>>> resolve_from_fingerprint(
        std::string fingerprint) = 0;
    /// A token as it arrived, any octets of any length, and what it is shown for: a name of the
    /// service, which signed tokens are bound to. nullopt: not known here, which is a refusal
    /// unless another provider knows it; never a reason to go on with a weaker identity. Errors:
    /// kTokenInvalid, kCancelled, kUnavailable…
    virtual task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                                     std::string purpose);
    /// Whose a token is now that was accepted before, without using it again; for sessions that
    /// last. The same errors, with kTokenInvalid for one that has ended.
    virtual task<result<std::optional<Identity>>> recheck_token(std::string token,
                                                                std::string purpose);
    /// Whose a token is, without using it: to refuse early whoever will show it in earnest. Errors
    /// as in resolve_from_token.
    virtual task<result<std::optional<Identity>>> preview_token(std::string token,
                                                                std::string purpose);
};

/// Whether somebody who was `before` may do less as `after`.
[[nodiscard]] bool is_narrowed(const Identity& before, const std::optional<Identity>& after);

}  // namespace alknet
