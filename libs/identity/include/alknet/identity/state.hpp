// The peers and tokens that commands add: tables of state.db. Everything here blocks; call it
// within a transaction (Database::transaction, Store::transact).
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/store/database.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

/// The name of the file in a home.
inline constexpr std::string_view kStateFile = "state.db";

/// How state.db is opened.
[[nodiscard]] store::DatabaseOptions state_options();

/// Everything, in the order of names. Errors: kStoreInvalid for a row that no command writes.
result<PeerList> load_peers(store::Database& state);

/// A new id for a peer, which says nothing about it: `peer-` and 16 hex digits.
[[nodiscard]] std::string make_peer_id();

/// Adds the peer, or puts what it says in the place of what stands under its id. The caller has
/// made sure that a directory can be made with it. What was accepted of the keys of a new one is
/// forgotten (rotation_state.hpp). Errors: those of Database.
result<void> save_peer(store::Database& state, const PeerRecord& peer);
/// Its tokens go too, and what was accepted of its keys. False: there was none.
result<bool> remove_peer(store::Database& state, std::string_view id);

/// Errors: those of Database.
result<void> save_token(store::Database& state, const TokenRecord& token);
/// False: there was none.
result<bool> remove_token(store::Database& state, std::string_view id);

/// The youngest signed token of a key that was used while its time was in the future.
struct NewestToken {
    NodeId signer{};
    std::uint64_t unix_s = 0;

    bool operator==(const NewestToken&) const = default;
};
/// Remembers it beyond a restart, and forgets those that no longer are in the future.
/// Errors: those of Database.
result<void> save_newest_token(store::Database& state, const NewestToken& token,
                               std::uint64_t now_s);
result<std::vector<NewestToken>> load_newest_tokens(store::Database& state);

}  // namespace alknet::identity
