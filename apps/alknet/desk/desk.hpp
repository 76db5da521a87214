// Desk: the work on one's own node, as operations with JSON in and out. A running node serves them
// on its control socket; without one, a command does the same work on the files itself.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/store/database.hpp>
#include <span>
#include <string>
#include <string_view>

#include "json.hpp"

namespace alknet::app {

/// What the work is done with. alknet.toml is read for each piece of work, because everything is
/// checked together with it.
struct Desk {
    config::Home home;
    config::Config config;
    WallTime now;
    std::string user;  // the number of the user who asks, for the audit log
};

/// Errors: those of Home::load_config.
[[nodiscard]] result<Desk> open_desk(const config::Home& home, WallTime now, std::string user);

/// One of the two functions is there. Both block.
struct DeskOperation {
    std::string_view name;  // "peers/add"
    std::string_view scope;
    std::string_view about;
    /// A look at what stands in state.db.
    result<Json> (*look)(const Desk& desk, const identity::PeerList& stored, Json input) = nullptr;
    /// A change of it, within a transaction.
    result<Json> (*change)(const Desk& desk, store::Database& state, Json input) = nullptr;
};

[[nodiscard]] std::span<const DeskOperation> peer_operations() noexcept;
[[nodiscard]] std::span<const DeskOperation> token_operations() noexcept;
/// Null: there is none of that name.
[[nodiscard]] const DeskOperation* find_desk_operation(std::string_view name) noexcept;

/// On the files, which nobody else works on meanwhile. Errors: kNoHandler; those of the operation.
[[nodiscard]] result<Json> work_on_files(const config::Home& home, std::string_view operation,
                                         Json input, WallTime now);

}  // namespace alknet::app
