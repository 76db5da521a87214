// Access decisions: a pure function of the peers, the time and what is asked, which also says what
// decided and what would have to change.
#pragma once

#include <alknet/identity/peers.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

enum class Verdict : std::uint8_t {
    allowed,
    unknown_peer,  // nobody is known as that
    disabled,
    expired,
    only_renewal,  // its term has ended, and it may still renew
    no_grant,      // none of its scopes covers what is asked
};
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

/// One edit of one peer's record.
struct Change {
    enum class Kind : std::uint8_t { add_peer, enable, renew, add_scope };
    Kind kind = Kind::add_scope;
    std::string scope;  // of add_scope

    bool operator==(const Change&) const = default;
};

/// A term that `Change::Kind::renew` gives.
inline constexpr Duration kRenewal = std::chrono::hours(24 * 30);

struct Question {
    std::string peer;  // an id
    Scope wanted;      // exact
    WallTime now;
};

struct Decision {
    Verdict verdict = Verdict::unknown_peer;
    /// The rule that decided, as it is written down: "git:read:website", "enabled = false".
    std::string rule;
    Origin origin;     // where it stands; for no_grant, where the peer stands
    std::string role;  // through which the grant came
    /// The fewest changes that would allow this; none if it is allowed.
    std::vector<Change> changes;

    [[nodiscard]] bool allowed() const noexcept { return verdict == Verdict::allowed; }
    bool operator==(const Decision&) const = default;
};

/// Deny by default. Of several grants that cover it the first one decides.
[[nodiscard]] Decision decide(const PeerDirectory& peers, const Question& question);

/// `no grant: no scope covers it, of the peer at alknet.toml:4`: the verdict, and the line that
/// decided. Names are as they were written, and so not fit for a terminal without a check.
[[nodiscard]] std::string explain(const Decision& decision);

/// An assertion that does not hold, and what was decided instead.
struct Broken {
    Assertion assertion;
    Decision decision;

    bool operator==(const Broken&) const = default;
    /// `bob must be allowed git:read:website, and is not: no grant: …`
    [[nodiscard]] std::string text() const;
};

/// The directory's assertions that do not hold, in their order. Terms do not count: an assertion is
/// about what is written down, and nobody's configuration becomes unusable as time goes by.
[[nodiscard]] std::vector<Broken> broken_assertions(const PeerDirectory& peers);
/// Errors: kAssertionFailed with the line of the first one, and how many there are.
result<void> check_assertions(const PeerDirectory& peers);

/// The assertions that hold and would not with this record in place of the peer's, or besides the
/// others; its grants are those of a directory.
[[nodiscard]] std::vector<Broken> broken_by(const PeerDirectory& peers, PeerRecord record);

/// The record with the change made. `add_peer` leaves it alone: it is the record's being there.
[[nodiscard]] PeerRecord changed(PeerRecord peer, const Change& change, WallTime now);

/// Whoever may do this rules the node: it is one of its admins.
inline constexpr std::string_view kAdminScope = "node:admin";

/// Their names, in the order of the directory: peers that are enabled, within their term, and that
/// have a grant for kAdminScope.
[[nodiscard]] std::vector<std::string> admins(const PeerDirectory& peers, WallTime now);

struct Guard {
    std::string actor;  // the id of the peer that makes the change; empty: the machine's owner
    WallTime now;
    /// The scope that the actor makes the change by, which it keeps too; empty: none.
    std::string_view by{};
};
/// Keeps a slip of the hand from leaving nobody to rule the node. Errors: kLastAdmin where there
/// were admins and would be none, or, for an actor, kExpiryWarning later; kOwnAccess where the
/// actor would be none any more, or would lose `by` or another scope, its keys, or time.
result<void> guard_admins(const PeerDirectory& before, const PeerDirectory& after,
                          const Guard& guard);

/// What services do: whether an identity that was resolved before may do it.
[[nodiscard]] bool allows(const Identity& identity, const Scope& wanted);
/// The same as an error that may be told to the peer: kScopeMissing with the scope it lacks.
result<void> require(const Identity& identity, const Scope& wanted);

}  // namespace alknet::identity
