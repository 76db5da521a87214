// Peer records, and the immutable directory in which they are found.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/scope.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

inline constexpr std::size_t kPeersMax = 100'000;
inline constexpr std::size_t kFingerprintsPerPeerMax = 64;
inline constexpr std::size_t kGrantsPerPeerMax = 1024;  // those of its roles included
inline constexpr std::size_t kRolesMax = 1024;
inline constexpr std::size_t kTokensMax = 100'000;
inline constexpr std::size_t kAssertionsMax = 1024;

/// From so long before a peer expires its owner is warned …
inline constexpr Duration kExpiryWarning = std::chrono::hours(24 * 14);
/// … and so long after it the peer is known still, and may do nothing but renew its term, if it
/// may do that.
inline constexpr Duration kExpiryGrace = std::chrono::hours(24 * 7);
/// How far its own renewal may reach.
inline constexpr Duration kRenewMin = std::chrono::hours(1);
inline constexpr Duration kRenewMax = std::chrono::hours(24) * 3650;

/// Where a rule was written down.
struct Origin {
    std::string file;
    std::size_t line = 0;  // 0: the place has no lines

    bool operator==(const Origin&) const = default;
    /// `FILE:LINE`
    [[nodiscard]] std::string text() const;
};

struct Grant {
    Scope scope;
    Origin origin;
    std::string role;  // through which it came; empty: given to the peer itself

    bool operator==(const Grant&) const = default;
};

struct Role {
    std::string name;
    std::vector<Grant> grants;

    bool operator==(const Role&) const = default;
};

/// Names by service.
using Resources = std::map<std::string, std::vector<std::string>>;
/// Each is a ServiceResource. Errors: kScopeInvalid.
[[nodiscard]] result<Resources> parse_resources(const std::vector<std::string>& texts);
[[nodiscard]] std::vector<std::string> resource_texts(const Resources& resources);

/// One peer as it was written down.
struct PeerRecord {
    std::string id;                         // stable, not empty, never the key
    std::string name;                       // what people call it
    std::vector<std::string> fingerprints;  // as parse_fingerprint gives them
    std::vector<Grant> grants;
    std::vector<std::string> roles;
    /// What its grants for kOwnResources are for. A directory has a grant for each.
    Resources resources;
    bool enabled = true;
    std::optional<WallTime> expires;
    bool renewable = true;  // false: when it expires there is no grace, and nothing to renew
    /// So far from then its term reaches when it renews it itself; zero: it may not.
    Duration renew{};
    std::string address;  // where to reach it; empty: not known
    Origin origin;
    /// Of its keys, those that it will not have any more from then on: it has said so (KeyChange).
    std::map<std::string, WallTime> ending{};

    bool operator==(const PeerRecord&) const = default;
};

using TokenHash = std::array<std::byte, 32>;

/// A token that is known by the SHA-256 digest of its text: a peer's, or an API key, which is an
/// identity of its own.
struct TokenRecord {
    std::string id;  // public: it names the token in lists and logs
    TokenHash hash{};
    std::string peer;           // its id; empty: an API key
    std::vector<Grant> grants;  // of an API key; a peer's token may do what the peer may
    std::string label;
    std::optional<WallTime> expires;
    Origin origin;

    bool operator==(const TokenRecord&) const = default;
};

/// Whether the peer may renew its term itself: then the scope kRenewScope comes with the term.
[[nodiscard]] bool may_renew(const PeerRecord& peer) noexcept;

enum class Standing : std::uint8_t {
    valid,
    expiring,  // valid, and to be warned of
    grace,     // may renew, if it may at all
    expired,
    disabled,
};
[[nodiscard]] std::string_view to_string(Standing standing) noexcept;
[[nodiscard]] Standing standing_of(const PeerRecord& peer, WallTime now) noexcept;

/// A statement of a new key that was accepted (rotation_state.hpp).
struct KeyChange {
    NodeId from{};
    NodeId to{};
    WallTime ends{};    // from then on the old key is nobody's
    bool used = false;  // the new key was shown, and the old one is nobody's from then on

    bool operator==(const KeyChange&) const = default;
};

/// What must come out when `peer` asks for `wanted` (policy.hpp, check_assertions).
struct Assertion {
    std::string peer;  // its name; need not be known
    Scope wanted;      // exact
    bool allow = true;
    Origin origin;

    bool operator==(const Assertion&) const = default;
};

/// What a peer of alknet.toml, which no node writes to, has made of its term (renewal.hpp). It
/// holds for as long as the entry is as it was when that happened.
struct Renewal {
    std::string peer;  // its id
    std::string key;   // one of those that stood there; empty: there was none
    WallTime was{};    // the end that stood there
    WallTime expires{};

    bool operator==(const Renewal&) const = default;
};

/// What was written down, to be made into a directory.
struct PeerList {
    std::vector<PeerRecord> peers;
    std::vector<Role> roles;
    std::vector<TokenRecord> tokens;
    std::vector<Assertion> assertions;
    std::vector<KeyChange> changes{};  // each of another key
    std::vector<Renewal> renewals{};   // each of another peer

    bool operator==(const PeerList&) const = default;
};

/// Gives the peers the keys that they have said they would have, wherever the peers were written
/// down, and takes from them what they have had. A key that is another peer's stays there.
void apply_key_changes(PeerList& list);

/// Whether `proven`, one of the peer's keys, is its key still.
[[nodiscard]] bool key_holds(const PeerRecord& peer, const std::string& proven,
                             WallTime now) noexcept;

/// Immutable, so that any thread may use it.
class PeerDirectory {
public:
    /// Errors, each with the peer and where it stands: kPeerExists for an id, a key or a token
    /// twice and for names that look alike; kConfigInvalid for an empty id, or a role that is
    /// named and not there; kLimit. A token of a peer that is not there is known, and refused.
    static result<std::shared_ptr<const PeerDirectory>> create(PeerList list);

    /// Their grants have those of their roles behind them, and name each of their resources.
    [[nodiscard]] const std::vector<PeerRecord>& peers() const noexcept { return list_.peers; }
    [[nodiscard]] const std::vector<TokenRecord>& tokens() const noexcept { return list_.tokens; }
    /// Whether they hold is another matter.
    [[nodiscard]] const std::vector<Assertion>& assertions() const noexcept {
        return list_.assertions;
    }

    /// By id. Null: there is none.
    [[nodiscard]] const PeerRecord* find(std::string_view id) const;
    /// What was accepted of new keys.
    [[nodiscard]] const std::vector<KeyChange>& changes() const noexcept { return list_.changes; }
    /// By the name that people use.
    [[nodiscard]] const PeerRecord* find_name(std::string_view name) const;
    /// `proven` is canonical: what TLS proved. Finds records with the `SHA256:` form too. Whether
    /// it is the peer's still: key_holds.
    [[nodiscard]] const PeerRecord* find_fingerprint(const std::string& proven) const;
    /// The Ed25519 keys of which a signed token may name this one.
    [[nodiscard]] std::vector<NodeId> find_keys(const KeyId& key) const;
    /// Compares in constant time what has the same first octets.
    [[nodiscard]] const TokenRecord* find_token(const TokenHash& hash) const;
    /// The first moment after `now` at which somebody's standing changes, or a key or
    /// a token ends.
    [[nodiscard]] std::optional<WallTime> next_change(WallTime now) const;

private:
    explicit PeerDirectory(PeerList list) : list_(std::move(list)) {}
    result<void> index();
    result<void> index_peer(std::size_t i);
    result<void> index_tokens();
    result<void> expand_roles(PeerRecord& peer) const;
    static result<void> expand_resources(PeerRecord& peer);

    PeerList list_;
    std::map<std::string, const Role*, std::less<>> roles_;
    std::map<std::string, std::size_t, std::less<>> by_id_;
    std::map<std::string, std::size_t, std::less<>> by_name_;
    std::map<std::string, std::size_t, std::less<>> by_skeleton_;
    std::map<std::string, std::size_t, std::less<>> by_fingerprint_;
    std::multimap<KeyId, NodeId> by_key_id_;
    std::multimap<std::uint64_t, std::size_t> by_token_;
};

/// What a peer is known as now: nullopt for one that is disabled or expired.
[[nodiscard]] std::optional<Identity> identity_of(const PeerRecord& peer, WallTime now);

}  // namespace alknet::identity
