#include "imports.hpp"

#include <algorithm>
#include <alknet/call/typed_operation.hpp>
#include <alknet/identity/import_state.hpp>
#include <alknet/rt/scope.hpp>
#include <set>
#include <utility>

namespace alknet::app {

namespace {

using call::Operation;
using call::RemoteOperation;

result<identity::Scope> scope_for(const config::Import& import, std::string_view name) {
    return identity::Scope::parse_exact(import.scope.empty() ? "import:call:" + std::string(name)
                                                             : import.scope);
}

// By the id of the peer, so that nobody else's operations pass for its own.
task<result<std::vector<RemoteOperation>>> admit(Node& node, config::Import import,
                                                 std::shared_ptr<std::set<std::string>> met,
                                                 std::vector<RemoteOperation> found) {
    ALKNET_CO_TRY(const std::string peer, node.id_of_peer(import.peer));
    // Pins that are removed beneath a running import accept nothing by that.
    const bool first = !found.empty() && met->insert(peer).second;
    std::vector<identity::OfferedOperation> offered;
    for (const RemoteOperation& one : found) {
        offered.push_back({.operation = one.name, .digest = one.digest()});
    }
    auto work = [prefix = import.prefix, peer, first,
                 offered = std::move(offered)](store::Database& state) {
        return identity::offer_operations(state, prefix, peer, offered, first);
    };
    ALKNET_CO_TRY(const auto in_force, co_await node.state()->transact(std::move(work)));
    std::erase_if(found, [&](const RemoteOperation& one) { return !in_force.contains(one.name); });
    co_return found;
}

task<result<ImportedPeers>> list_peers(const NodeImports& imports,
                                       const call::OperationRegistry& registry,
                                       call::CallContext context, Nothing /*input*/) {
    const bool all = registry.find("imports/list", context.identity).has_value();
    co_return ImportedPeers{.peers = imports.peers(registry.visible_to(context.identity), all)};
}

}  // namespace

NodeImports::NodeImports(Loop& loop, const std::vector<config::Import>& imports, const Log& log)
    : loop_(loop), log_(log) {
    for (const config::Import& import : imports) {
        all_.push_back(call::PeerImport::create(loop_, options_for(import)));
    }
}

call::PeerImportOptions NodeImports::options_for(const config::Import& import) {
    call::PeerImportOptions options;
    options.prefix = import.prefix;
    options.peer = import.peer;
    options.hops_max = import.hops;
    options.dial = [this, peer = import.peer] {
        return node_->dial_peer(peer, std::string(call::kCallAlpn));
    };
    options.still = [this, peer = import.peer](const Connection& connection) {
        return node_->is_peer(peer, connection.info().peer.fingerprint());
    };
    options.wanted = [import](std::string_view remote) { return import.wants(remote); };
    options.admit = [this, import, met = std::make_shared<std::set<std::string>>()](
                        std::vector<RemoteOperation> found) {
        return admit(*node_, import, met, std::move(found));
    };
    options.scope = [import](std::string_view name) { return scope_for(import, name); };
    options.log = log_;
    return options;
}

std::vector<std::shared_ptr<const call::OperationSource>> NodeImports::operations() const {
    std::vector<std::shared_ptr<const call::OperationSource>> sources;
    for (const auto& one : all_) {
        sources.push_back(one->operations());
    }
    return sources;
}

task<result<void>> NodeImports::run(Node& node) {
    node_ = &node;
    const TaskContext context = co_await current_context();
    TaskScope scope(loop_, context.cancel);
    for (const auto& one : all_) {
        scope.spawn(one->run(), "call.import");
    }
    const auto joined = co_await scope.join();
    node_ = nullptr;
    co_return joined;
}

task<void> NodeImports::recheck() {
    for (const auto& one : all_) {
        if (node_ != nullptr) {
            co_await one->recheck();
        }
    }
}

std::vector<ImportedPeer> NodeImports::peers(const std::vector<const Operation*>& may,
                                             bool all) const {
    std::vector<ImportedPeer> shown;
    for (const auto& one : all_) {
        const call::PeerImportStatus status = one->status();
        ImportedPeer peer{.name = status.peer,
                          .prefix = status.prefix,
                          .state = status.connected ? "connected" : "away",
                          .operations = {},
                          .held_back = status.held_back};
        if (!status.problem.empty()) {
            peer.problem = status.problem;
        }
        for (const Operation* operation : one->operations()->all()) {
            if (std::ranges::find(may, operation) != may.end()) {
                peer.operations.push_back("/" + operation->name);
            }
        }
        if (all || !peer.operations.empty()) {
            shown.push_back(std::move(peer));
        }
    }
    return shown;
}

result<void> add_import_operations(call::OperationRegistry& registry, const NodeImports& imports) {
    Operation operation;
    operation.name = "services/list-peers";
    operation.known_only = true;
    operation.about = "the nodes whose operations are offered here, and how it stands with them";
    call::set_function<Nothing, ImportedPeers>(
        operation, [&imports, &registry](call::CallContext context, Nothing input) {
            return list_peers(imports, registry, std::move(context), input);
        });
    return registry.add(std::move(operation));
}

}  // namespace alknet::app
