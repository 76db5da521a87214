// Which changes of peers' keys were accepted: a table of state.db. A statement that is older than
// what stands there never undoes it. Everything here blocks; call it within a transaction.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/identity/rotation.hpp>
#include <alknet/store/database.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace alknet::identity {

/// Of all peers together. One peer follows as many as it may have keys.
inline constexpr std::size_t kKeyChangesMax = 10'000;

/// Each of another key. Errors: kStoreInvalid for a row that nobody writes.
result<std::vector<KeyChange>> load_key_changes(store::Database& state);

/// What has come of statements that were believed.
struct AcceptedChange {
    std::string id;  // of the peer
    std::string name;
    NodeId from;
    NodeId to;
    WallTime ends;         // of the old key, if the new one is not shown before
    bool changed = false;  // false: it was known
};

/// Believes `chain`, in which each statement begins with the key that the one before it has led to,
/// if a peer of `fixed` or of the state has the key that it begins with, or one further on. From
/// then on the peer has all keys that come. Errors: kRotationInvalid; kLimit; those of Database.
result<AcceptedChange> accept_key_change(store::Database& state, const PeerList& fixed,
                                         std::span<const Rotation> chain, WallTime now);

/// Somebody has shown that they have the key: those before it end. False: there were none.
result<bool> end_old_keys(store::Database& state, const NodeId& shown);

/// An owner has said anew whose key that is: what was accepted of it, and of those that came after
/// it, is forgotten.
result<void> forget_key_changes(store::Database& state, const std::vector<std::string>& keys);

}  // namespace alknet::identity
