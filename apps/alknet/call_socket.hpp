// The call protocol in the binary messages of a WebSocket, one event each, for browsers: what
// stands on a stream of alknet/call behind a length stands here in a message.
#pragma once

#include <alknet/core/auth.hpp>
#include <alknet/http/exchange.hpp>
#include <functional>
#include <memory>
#include <string_view>

namespace alknet {
class Connection;
}

namespace alknet::app {

inline constexpr std::string_view kCallPath = "/alknet/call";
/// The sub-protocol, and how a token is offered beside it, as browsers can send no Authorization.
inline constexpr std::string_view kCallProtocol = "alknet.call";
inline constexpr std::string_view kBearerProtocol = "alknet.bearer.";

struct CallSocketOptions {
    /// Of tokens; null: none is accepted.
    std::shared_ptr<IdentityProvider> identities;
    /// Serves a connection as the service that its ALPN names, with its limits and rules.
    std::function<task<void>(std::shared_ptr<Connection>)> serve;
};

/// For GET kCallPath. A token comes in a sub-protocol or in Authorization; one that is not accepted
/// is 401, and nothing falls back to whoever the connection belongs to.
[[nodiscard]] http::Handler make_call_socket(CallSocketOptions options);

}  // namespace alknet::app
