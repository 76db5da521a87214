// The call protocol in the binary messages of a WebSocket, one event each, for browsers: what
// stands on a stream of alknet/call behind a length stands here in a message.
#pragma once

#include <alknet/core/auth.hpp>
#include <alknet/http/exchange.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/time.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alknet {
class Connection;
}

namespace alknet::app {

inline constexpr std::string_view kCallPath = "/alknet/call";
/// The sub-protocol, beside which a token may be offered (http::kBearerProtocol).
inline constexpr std::string_view kCallProtocol = "alknet.call";

struct CallSocketOptions {
    /// Of tokens; null: none is accepted.
    std::shared_ptr<IdentityProvider> identities;
    /// Serves a connection as the service that its ALPN names, with its limits and rules.
    std::function<task<void>(std::shared_ptr<Connection>)> serve;
    std::vector<std::string> origins{};  // whose pages may call, besides the site's own
};

/// How long a stranger may hold a socket over which no message passes. What a known peer holds
/// stays.
inline constexpr Duration kStrangerIdleTimeout = std::chrono::minutes(2);

/// For GET kCallPath. A token comes in a sub-protocol or in Authorization; one that is not accepted
/// is 401, and nothing falls back to whoever the connection belongs to.
/// Serves whoever has sent the request: `stream` carries the call protocol.
[[nodiscard]] std::shared_ptr<Connection> call_connection(Loop& loop,
                                                          std::unique_ptr<ByteStream> stream,
                                                          const http::Request& request);

[[nodiscard]] http::Handler make_call_socket(CallSocketOptions options);

}  // namespace alknet::app
