#include "imports.hpp"

#include <algorithm>
#include <alknet/call/typed_operation.hpp>
#include <alknet/identity/import_state.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/wait.hpp>
#include <exception>
#include <iterator>
#include <mutex>
#include <set>
#include <utility>

namespace alknet::app {

namespace {

using call::Operation;
using call::OperationPtr;
using call::RemoteOperation;

result<identity::Scope> scope_for(const config::Import& import, std::string_view name) {
    return identity::Scope::parse_exact(import.scope.empty() ? "import:call:" + std::string(name)
                                                             : import.scope);
}

// By the id of the peer, so that nobody else's operations pass for its own.
task<result<std::vector<RemoteOperation>>> admit(Node& node, std::string prefix, std::string name,
                                                 std::shared_ptr<std::set<std::string>> met,
                                                 std::vector<RemoteOperation> found) {
    ALKNET_CO_TRY(const std::string peer, node.id_of_peer(name));
    // Pins that are removed beneath a running import accept nothing by that.
    const bool first = !found.empty() && met->insert(peer).second;
    std::vector<identity::OfferedOperation> offered;
    for (const RemoteOperation& one : found) {
        offered.push_back({.operation = one.name, .digest = one.digest()});
    }
    auto work = [prefix = std::move(prefix), peer, first,
                 offered = std::move(offered)](store::Database& state) {
        return identity::offer_operations(state, prefix, peer, offered, first);
    };
    ALKNET_CO_TRY(const auto in_force, co_await node.state()->transact(std::move(work)));
    std::erase_if(found, [&](const RemoteOperation& one) { return !in_force.contains(one.name); });
    co_return found;
}

// Also while there is no import.
task<result<void>> stay() {
    Event never;
    co_return co_await never.wait();
}

task<result<ImportedPeers>> list_peers(const NodeImports& imports,
                                       const call::OperationRegistry& registry,
                                       call::CallContext context, Nothing /*input*/) {
    const bool all = registry.find("imports/list", context.identity).has_value();
    co_return ImportedPeers{.peers = imports.peers(registry.visible_to(context.identity), all)};
}

}  // namespace

/// Those of all imports, whichever there are just now.
class NodeImports::Sources final : public call::OperationSource {
public:
    using All = std::vector<std::shared_ptr<const call::OperationSource>>;

    void set(All all) {
        const std::lock_guard lock(mutex_);
        all_.swap(all);
    }
    [[nodiscard]] OperationPtr find(std::string_view name) const override {
        const std::lock_guard lock(mutex_);
        for (const auto& one : all_) {
            if (OperationPtr found = one->find(name); found != nullptr) {
                return found;
            }
        }
        return nullptr;
    }
    [[nodiscard]] std::vector<OperationPtr> all() const override {
        const std::lock_guard lock(mutex_);
        std::vector<OperationPtr> list;
        for (const auto& one : all_) {
            std::ranges::move(one->all(), std::back_inserter(list));
        }
        return list;
    }

private:
    mutable std::mutex mutex_;
    All all_;
};

struct NodeImports::Kept {
    Kept(config::Import from, Cancel* parent) : entry(std::move(from)), cancel(parent) {}
    const config::Import entry;
    std::unique_ptr<call::PeerImport> import{};
    Cancel cancel;
};

NodeImports::NodeImports(Loop& loop, const Log& log)
    : loop_(loop), log_(log), sources_(std::make_shared<Sources>()) {}
NodeImports::~NodeImports() = default;

std::shared_ptr<const call::OperationSource> NodeImports::operations() const {
    return sources_;
}

call::PeerImportOptions NodeImports::options_for(const config::Import& import) {
    call::PeerImportOptions options;
    options.prefix = import.prefix;
    options.peers = import.from();
    options.hops_max = import.hops;
    options.dial = [this](std::string peer) {
        return node_->dial_peer(std::move(peer), std::string(call::kCallAlpn));
    };
    options.still = [this](const std::string& peer, const Connection& connection) {
        return node_->is_peer(peer, connection.info().peer.fingerprint());
    };
    options.wanted = [import](std::string_view remote) { return import.wants(remote); };
    options.admit = [this, prefix = import.prefix, met = std::make_shared<std::set<std::string>>()](
                        std::string peer, std::vector<RemoteOperation> found) {
        return admit(*node_, prefix, std::move(peer), met, std::move(found));
    };
    options.scope = [import](std::string_view name) { return scope_for(import, name); };
    options.next_step = "alknet import list shows what waits, and how to accept it";
    options.log = log_;
    return options;
}

// What a bug throws while it reads another node's words costs this import, and none of the others.
task<void> NodeImports::keep(std::shared_ptr<Kept> one, Log log) {
    try {
        (void)co_await one->import->run().under(one->cancel);
    } catch (const std::exception& bug) {
        log.error("call.import_failed", {{"prefix", one->entry.prefix}, {"detail", bug.what()}});
    }
}

// What has changed ends, and begins anew; what is as it was keeps its connections.
void NodeImports::follow() {
    std::vector<std::shared_ptr<Kept>> now;
    Sources::All sources;
    for (const config::Import& entry : node_->imports()) {
        const auto same = std::ranges::find_if(
            all_, [&](const auto& one) { return one != nullptr && one->entry == entry; });
        if (same != all_.end()) {
            now.push_back(std::exchange(*same, nullptr));
        } else {
            const auto one = std::make_shared<Kept>(entry, &scope_->token());
            one->import = call::PeerImport::create(loop_, options_for(entry));
            scope_->spawn(keep(one, log_), "call.import");
            now.push_back(one);
        }
        sources.push_back(now.back()->import->operations());
    }
    sources_->set(std::move(sources));
    for (const auto& gone : all_) {
        if (gone != nullptr) {
            gone->cancel.request();
        }
    }
    all_ = std::move(now);
}

task<result<void>> NodeImports::run(Node& node) {
    const TaskContext context = co_await current_context();
    TaskScope scope(loop_, context.cancel);
    node_ = &node;
    scope_ = &scope;
    scope.spawn(stay(), "call.imports");
    follow();
    const auto joined = co_await scope.join();
    all_.clear();
    scope_ = nullptr;
    node_ = nullptr;
    co_return joined;
}

task<void> NodeImports::recheck() {
    if (node_ == nullptr) {
        co_return;
    }
    follow();
    const std::vector<std::shared_ptr<Kept>> all = all_;
    for (const auto& one : all) {
        if (node_ != nullptr) {
            co_await one->import->recheck();
        }
    }
}

std::vector<ImportedPeer> NodeImports::peers(const std::vector<OperationPtr>& may, bool all) const {
    std::vector<ImportedPeer> shown;
    for (const auto& one : all_) {
        for (call::PeerImportStatus& status : one->import->status()) {
            ImportedPeer peer{.name = std::move(status.peer),
                              .prefix = std::move(status.prefix),
                              .state = status.connected ? "connected" : "away",
                              .operations = {},
                              .held_back = all ? status.held_back : 0};
            // What is wrong with one operation may name it; why the peer is away may not.
            if ((all || !status.connected) && !status.problem.empty()) {
                peer.problem = std::move(status.problem);
            }
            for (const std::string& name : status.offered) {
                const OperationPtr found = one->import->operations()->find(name);
                if (std::ranges::find(may, found) != may.end()) {
                    peer.operations.push_back("/" + name);
                }
            }
            if (all || !peer.operations.empty()) {
                shown.push_back(std::move(peer));
            }
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
