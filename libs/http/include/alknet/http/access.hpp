// Who may have what a site serves: whom the transport has proved the client to be, or whom its
// bearer token names. Nothing falls back from a token that is not accepted.
#pragma once

#include <alknet/core/auth.hpp>
#include <alknet/http/exchange.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::http {

/// How a token is offered to a WebSocket, as a sub-protocol: browsers can send no Authorization.
inline constexpr std::string_view kBearerProtocol = "alknet.bearer.";

struct Access {
    /// What is asked for, as clients are told it.
    std::string scope;
    /// Whether somebody has it. Errors: as he may know them. Thread-safe.
    std::function<result<void>(const Identity&)> demand;
    std::shared_ptr<IdentityProvider> identities{};  // of tokens; null: none is accepted
    std::string_view purpose = "alknet/http";  // that tokens are shown for; of static lifetime
    bool preview = false;                      // tokens are not used yet: the handler does so

    /// nullopt: the client may; with a token, `request.by_token` says who it is. Else the answer:
    /// 401 to strangers and for tokens that are not accepted, 403 to those who are known. This and
    /// the request must outlive the task.
    [[nodiscard]] task<std::optional<Response>> refuse(
        Request& request, const std::vector<std::string>& origins) const;
};

/// The token of Authorization or of a sub-protocol; empty: there is none. nullopt: there are
/// several, an empty one, or credentials of another kind.
[[nodiscard]] std::optional<std::string> bearer_of(const RequestHead& head);
/// Whether it has credentials, good or not.
[[nodiscard]] bool has_credentials(const RequestHead& head);
/// `tunnel`, which ends with kTokenInvalid within about a second once the token is not accepted any
/// more, or its owner may do less than `before`.
[[nodiscard]] Tunnel while_accepted(Access access, std::string token, Identity before,
                                    Tunnel tunnel);
/// The same of a content, whose reads fail then.
[[nodiscard]] std::unique_ptr<BodySource> while_accepted(Access access, std::string token,
                                                         Identity before,
                                                         std::unique_ptr<BodySource> source);
/// 401 for a token that is not accepted.
[[nodiscard]] Response refuse_token(const RequestHead& head);

}  // namespace alknet::http
