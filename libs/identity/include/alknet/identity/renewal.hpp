// A peer renews its own term: how far, when, and what is kept of it in state.db.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/store/database.hpp>
#include <vector>

namespace alknet::identity {

/// The end that the peer's term gets when it renews it now: so far from now as its record says, to
/// the second. Errors: kForbidden where it may not; kRenewEarly while its end is further away than
/// kExpiryWarning, or than half of that.
[[nodiscard]] result<WallTime> renewed_term(const PeerRecord& peer, WallTime now);

/// Gives the peers what they have made of their terms, if they may still renew them.
void apply_renewals(PeerList& list);

// In state.db. Everything here blocks; call it within a transaction.

/// In place of the one before. Forgets those whose grace is over. Errors: those of Database.
result<void> save_renewal(store::Database& state, const Renewal& renewal, WallTime now);
/// In the order of the peers' ids. Errors: kStoreInvalid for a row that no command writes.
result<std::vector<Renewal>> load_renewals(store::Database& state);

}  // namespace alknet::identity
