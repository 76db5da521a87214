// Desk: the work on one's own node, as operations with JSON in and out. A running node serves them
// on its control socket; without one, a command does the same work on the files itself.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/store/database.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit_change.hpp"
#include "inputs.hpp"
#include "json.hpp"
#include "outputs.hpp"

namespace alknet::app {

/// Who asks: the owner of the machine at the machine itself, or a peer from elsewhere.
struct DeskCaller {
    std::string user;  // the number of the local user
    std::string peer;  // the id of a peer; empty: the caller is local

    [[nodiscard]] bool local() const noexcept { return peer.empty(); }
    /// For a record of the audit log: its field, and what stands there.
    [[nodiscard]] std::pair<std::string_view, std::string> named() const {
        return local() ? std::pair<std::string_view, std::string>("uid", user)
                       : std::pair<std::string_view, std::string>("by", peer);
    }
};

/// What every piece of work begins with.
struct DeskRequest {
    config::Home home;
    WallTime now;
    DeskCaller caller;
    /// Where the running node listens, which may be elsewhere than alknet.toml says (serve
    /// --listen, port 0, a file that was edited since). Empty: as alknet.toml says.
    std::vector<SocketAddress> listening{};
    std::shared_ptr<ChangeRecords> records = std::make_shared<ChangeRecords>(home);
};

/// What the work is done with. alknet.toml is read for each piece of work, because everything is
/// checked together with it.
struct Desk {
    config::Home home;
    config::Config config;
    WallTime now;
    DeskCaller caller;
    std::vector<SocketAddress> listening;  // of the node, else of alknet.toml
    std::string revision;  // of what was there when the work began, for the audit log
    std::shared_ptr<ChangeRecords> records;

    /// Has it written down when everything else is done.
    void audit(AuditEntry entry) const { records->keep(config, std::move(entry), revision); }
};

/// One of the functions is there. All of them block.
struct DeskOperation {
    std::string_view name;  // "peers/add"
    std::string_view scope;
    std::string_view about;
    /// What may go wrong, besides what may with every operation.
    std::span<const Cause* const> errors = {};
    /// JSON Schemas of what it takes and gives.
    Json (*input)(call::Direction direction) = nullptr;
    Json (*output)(call::Direction direction) = nullptr;
    /// A look at what stands in state.db.
    result<Json> (*look)(const Desk& desk, const identity::PeerList& stored, Json input) = nullptr;
    /// A look at what else stands there.
    result<Json> (*read)(const Desk& desk, store::Database& state, Json input) = nullptr;
    /// A change of it, within a transaction.
    result<Json> (*change)(const Desk& desk, store::Database& state, Json input) = nullptr;
    /// A look at alknet.toml, or a change of it: whatever it says now, also nothing that can be
    /// read.
    result<Json> (*configure)(const DeskRequest& request, const identity::PeerList& stored,
                              Json input) = nullptr;
    /// Whether `configure` changes anything.
    bool replaces = false;

    [[nodiscard]] bool changes() const noexcept { return change != nullptr || replaces; }
};

/// A function of a struct that gives another, as one of JSON, which fits the schema of the first.
template <class Function>
struct DeskFunction;
template <class What, class State, class In, class Out>
struct DeskFunction<result<Out> (*)(const What&, State&, const In&)> {
    using Input = In;
    using Output = Out;
    template <auto function>
    static result<Json> run(const What& what, State& state, Json json) {
        ALKNET_TRY(const In input, call::from_json<In>(std::move(json)));
        ALKNET_TRY(const Out output, function(what, state, input));
        return call::to_json(output);
    }
};

/// The operation with its schemas and one of its functions.
template <auto function>
constexpr DeskOperation with_schemas(DeskOperation operation) {
    operation.input = call::schema_of<typename DeskFunction<decltype(function)>::Input>;
    operation.output = call::schema_of<typename DeskFunction<decltype(function)>::Output>;
    return operation;
}
template <auto function>
constexpr DeskOperation looking(DeskOperation operation) {
    operation = with_schemas<function>(operation);
    operation.look = DeskFunction<decltype(function)>::template run<function>;
    return operation;
}
template <auto function>
constexpr DeskOperation reading(DeskOperation operation) {
    operation = with_schemas<function>(operation);
    operation.read = DeskFunction<decltype(function)>::template run<function>;
    return operation;
}
template <auto function>
constexpr DeskOperation changing(DeskOperation operation) {
    operation = with_schemas<function>(operation);
    operation.change = DeskFunction<decltype(function)>::template run<function>;
    return operation;
}
template <auto function>
constexpr DeskOperation configuring(DeskOperation operation) {
    operation = with_schemas<function>(operation);
    operation.configure = DeskFunction<decltype(function)>::template run<function>;
    return operation;
}

[[nodiscard]] std::span<const DeskOperation> peer_operations() noexcept;
[[nodiscard]] std::span<const DeskOperation> token_operations() noexcept;
[[nodiscard]] std::span<const DeskOperation> config_operations() noexcept;
[[nodiscard]] std::span<const DeskOperation> invitation_operations() noexcept;
[[nodiscard]] std::span<const DeskOperation> key_operations() noexcept;
[[nodiscard]] std::span<const DeskOperation> import_operations() noexcept;
[[nodiscard]] std::span<const DeskOperation> renewal_operations() noexcept;
/// All of these.
[[nodiscard]] std::vector<const DeskOperation*> desk_operations();
inline constexpr std::string_view kConfigApply = "config/apply";
inline constexpr std::string_view kConfigConfirm = "config/confirm";
inline constexpr std::string_view kKeySwitch = "key/switch";
inline constexpr std::string_view kOwnRenewal = "peer/renew";
/// Null: there is none of that name.
[[nodiscard]] const DeskOperation* find_desk_operation(std::string_view name);

/// Within a transaction of `state`; if that fails after this, the request's records are to hear it.
/// Errors: those of the operation, and of reading the files.
[[nodiscard]] result<Json> work_at_desk(const DeskOperation& operation, const DeskRequest& request,
                                        store::Database& state, Json input);

/// On the files, which nobody else changes meanwhile. Errors: kNoOperation; those of the operation.
[[nodiscard]] result<Json> work_on_files(const config::Home& home, std::string_view operation,
                                         Json input, WallTime now);

}  // namespace alknet::app
