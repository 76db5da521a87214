// Invitations in state.db: made, spent, confirmed and taken back. Everything here blocks; call it
// within a transaction (Database::transaction, Store::transact), so that each of them happens as a
// whole, and of two who spend the last use one comes first.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/identity/invitation.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/store/database.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

inline constexpr std::size_t kInvitationsMax = 256;
inline constexpr std::uint32_t kInvitationUsesMax = 100;
/// How often one invitation draws digits to be compared; then it is of no more use. Whoever has
/// stolen the line cannot try until the digits are those that its owner was told.
inline constexpr std::uint32_t kInvitationDrawsMax = 20;
/// So long after its end an invitation is kept, so that a late use of a spent one is noticed.
inline constexpr Duration kInvitationKept = std::chrono::hours(24 * 30);

/// Somebody who has shown the secret.
struct InvitationClaim {
    std::string fingerprint;
    std::string name;  // that it proposed
    std::string code;  // to be compared; empty where nothing is
    std::string peer;  // id of the record that was made; empty: its owner has not confirmed yet

    bool operator==(const InvitationClaim&) const = default;
};

struct InvitationRecord {
    std::string id;
    std::array<std::byte, 32> hash{};  // invitation_hash of the secret, which is not kept
    std::string name;                  // what to call who comes; empty: as it proposes
    std::string only_for;              // as parse_fingerprint gives it; empty: for anybody
    std::vector<Scope> scopes;
    bool confirm = false;
    std::uint32_t uses_left = 1;
    WallTime expires;
    std::optional<WallTime> peer_expires{};  // of whoever joins: PeerRecord::expires, and …
    Duration peer_renew{};                   // … PeerRecord::renew
    std::uint32_t alarms = 0;  // uses after it was spent, or by another key than it is for
    std::uint32_t draws = 0;
    std::vector<InvitationClaim> claims;

    bool operator==(const InvitationRecord&) const = default;
};

/// What alknet.toml would say again, were a change undone that waits to be confirmed.
struct UndonePeers {
    PeerList list;
    std::vector<std::string> names;
};

/// What alknet.toml says, beside which whoever joins must fit.
struct FixedPeers {
    std::shared_ptr<const PeerList> list{};  // null: nobody
    /// Whom else it names, besides in assertions: by what it says of them a peer of that name would
    /// get something, and so none gets a name of these that it has chosen itself.
    std::vector<std::string> names{};
    /// Scopes that let somebody run programs, as needs_confirmation takes them.
    std::vector<Scope> programs{};
    /// Beside these of state.db; null, or nullopt: nothing waits.
    std::function<result<std::optional<UndonePeers>>(const PeerList& stored)> undone{};
};

/// `inv-` and 8 hex digits; says nothing about the secret.
[[nodiscard]] std::string make_invitation_id();

/// A scope for which `confirm` is needed, and not set; null: none.
[[nodiscard]] const Scope* unconfirmed(const InvitationRecord& invitation,
                                       std::span<const Scope> programs) noexcept;

/// Forgets those that ended kInvitationKept ago. Errors: kUsage for what is unconfirmed without
/// programs; kLimit for more than kInvitationsMax, or kInvitationScopesMax scopes; those of
/// Database.
result<void> add_invitation(store::Database& state, const InvitationRecord& invitation,
                            WallTime now);
/// The latest end first. Errors: kStoreInvalid for a row that no command writes.
result<std::vector<InvitationRecord>> load_invitations(store::Database& state);
/// Who has joined by it stays. False: there was none.
result<bool> remove_invitation(store::Database& state, std::string_view id);

/// A secret and the key that its connection has proven.
struct ClaimAttempt {
    InvitationSecret secret{};
    NodeId joiner;
    std::string name;  // proposed; as check_name wants it
    std::string code;  // join_code of the connection
    WallTime now;
};

struct ClaimOutcome {
    enum class Kind : std::uint8_t { refused, waiting, known, granted };
    Kind kind = Kind::refused;
    std::string invitation;  // its id; empty: the secret is of none
    std::string why;         // of `refused`, for the node's owner alone
    bool alarm = false;      // a refusal that says that the line was seen by somebody else
    std::string name;        // of `granted`
    std::vector<std::string> scopes;
    WallTime expires;  // of the invitation
};

/// Spends the invitation, or notes who waits for a confirmation, or counts the alarm: everything
/// but an error is to be committed. Whoever was let in by it before gets the same answer again, for
/// as long as its record is there. Errors: those of Database, kAssertionFailed.
result<ClaimOutcome> claim_invitation(store::Database& state, const FixedPeers& fixed,
                                      const ClaimAttempt& attempt);
/// What has become of a claim that waits. Errors: those of Database.
result<ClaimOutcome> look_at_claim(store::Database& state, std::string_view invitation,
                                   std::string_view fingerprint, WallTime now);
/// The owner says that these are the digits that the other one sees. Gives the new record.
/// Errors: kUsage for digits that nobody waits with, or if the invitation has ended; kPeerExists;
/// kAssertionFailed; kConfigPending if it would not fit once a change is undone that waits; those
/// of Database.
result<PeerRecord> confirm_claim(store::Database& state, const FixedPeers& fixed,
                                 std::string_view code, WallTime now);

}  // namespace alknet::identity
