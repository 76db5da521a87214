// Scopes: what somebody may do, as `service:action[:resource]`. docs/scopes.md is the table of
// all of them.
//
// A grant may stand for many: `*` for any service or any action; as the resource `*` for any or
// none, `PREFIX/*` for everything below PREFIX, and `@` for what the peer's own resources are. A
// grant without a resource covers only what needs none. What is asked for is always one exact
// scope.
#pragma once

#include <alknet/base/result.hpp>
#include <compare>
#include <cstddef>
#include <string>
#include <string_view>

namespace alknet::identity {

inline constexpr std::size_t kScopeWordBytesMax = 32;  // service, action
inline constexpr std::size_t kScopeResourceBytesMax = 256;

struct Scope {
    std::string service;
    std::string action;
    std::string resource;  // everything after the second colon; empty: none

    /// Service and action are lower-case letters, digits, `.`, `_` and `-`, beginning with a
    /// letter, or `*`. The resource is UTF-8 without white space or characters that cannot be
    /// shown, and not empty where its colon stands. Errors: kScopeInvalid.
    static result<Scope> parse(std::string_view text);
    /// The same without wildcards: what a service asks for. Errors: kScopeInvalid.
    static result<Scope> parse_exact(std::string_view text);

    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool exact() const noexcept;
    auto operator<=>(const Scope&) const = default;
};

/// In the place of a resource: each of those that the peer has (PeerRecord::resources).
inline constexpr std::string_view kOwnResources = "@";

/// A resource of a service, as `service:resource`.
struct ServiceResource {
    std::string service;
    std::string resource;

    /// As in a scope; the service is no wildcard. Errors: kScopeInvalid.
    static result<ServiceResource> parse(std::string_view text);
    [[nodiscard]] std::string text() const { return service + ":" + resource; }
    auto operator<=>(const ServiceResource&) const = default;
};

/// Whether a grant covers a scope that `exact()` holds for; never for one that it does not.
[[nodiscard]] bool covers(const Scope& grant, const Scope& wanted) noexcept;

}  // namespace alknet::identity
