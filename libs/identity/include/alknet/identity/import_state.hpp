// What operations of other nodes were when somebody accepted them: a table of state.db. Everything
// here blocks; call it within a transaction.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/store/database.hpp>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

/// One operation that a peer has offered to an import.
struct OperationPin {
    std::string prefix;     // of the import
    std::string peer;       // the id of whoever offers it
    std::string operation;  // as it is called there
    std::string accepted;   // the digest of what may be offered here; empty: nothing yet
    std::string offered;    // the digest of what the peer offers; empty: nothing any more

    [[nodiscard]] bool in_force() const noexcept { return !offered.empty() && offered == accepted; }
    [[nodiscard]] bool waits() const noexcept { return !offered.empty() && offered != accepted; }
    bool operator==(const OperationPin&) const = default;
};

/// What a peer offers to an import now.
struct OfferedOperation {
    std::string operation;
    std::string digest;
};

/// In the order of their names. Errors: those of Database.
result<std::vector<OperationPin>> load_pins(store::Database& state);

/// Writes down what the peer offers to the import. The first time, if this may be it, all of it is
/// accepted; from then on what is new, or not what it was, waits for `accept_pins`. Gives the
/// operations that are in force. Errors: those of Database.
result<std::set<std::string, std::less<>>> offer_operations(
    store::Database& state, const std::string& prefix, const std::string& peer,
    const std::vector<OfferedOperation>& offered, bool may_be_first);

/// Of what waits of one peer's offer to an import, 64 hex digits: each operation with its own
/// digest. Empty: nothing does.
[[nodiscard]] std::string waiting_digest(const std::vector<OperationPin>& pins,
                                         std::string_view prefix, std::string_view peer);

/// What waits is accepted as it is offered, if this is its digest: what somebody was shown. How
/// many those are. Errors: kUsage when it waits no more, or is something else by now; those of
/// Database.
result<std::size_t> accept_pins(store::Database& state, const std::string& prefix,
                                std::string_view digest);

/// Forgets all. How many those are. Errors: those of Database.
result<std::size_t> remove_pins(store::Database& state, const std::string& prefix);

}  // namespace alknet::identity
