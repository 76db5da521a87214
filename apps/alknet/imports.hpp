// The imports of [[call.import]]: operations of other nodes among the node's own.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/call/peer_import.hpp>
#include <alknet/config/config.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inputs.hpp"
#include "node.hpp"

namespace alknet::app {

struct ImportedPeer {
    std::string name;
    std::string prefix;
    std::string state;
    std::vector<std::string> operations;
    std::uint64_t held_back = 0;
    std::optional<std::string> problem{};
    static constexpr About<6> kAbout = {
        "of the peer",
        "with which the names of its operations begin here",
        "connected or away",
        "those that the caller may call",
        "operations that are new or have changed, and that nobody has accepted",
        "why it is away, or what of it is not offered"};
};
struct ImportedPeers {
    std::vector<ImportedPeer> peers;
};

class NodeImports {
public:
    NodeImports(Loop& loop, const Log& log);
    NodeImports(const NodeImports&) = delete;
    NodeImports& operator=(const NodeImports&) = delete;
    ~NodeImports();

    /// For a registry, which may outlive this.
    [[nodiscard]] std::shared_ptr<const call::OperationSource> operations() const;
    /// Keeps up those that the node's configuration names, until it is cancelled. The node outlives
    /// that.
    task<result<void>> run(Node& node);
    /// What they are, what was accepted, or who the peers are, may have changed: ends once this
    /// follows. One that is as it was goes on.
    task<void> recheck();
    /// Those with an operation that the caller may call; with `all`, the others too.
    [[nodiscard]] std::vector<ImportedPeer> peers(const std::vector<call::OperationPtr>& may,
                                                  bool all) const;

private:
    class Sources;
    struct Kept;

    call::PeerImportOptions options_for(const config::Import& import);
    void follow();
    static task<void> keep(std::shared_ptr<Kept> one, Log log);

    Loop& loop_;
    const Log log_;
    const std::shared_ptr<Sources> sources_;
    // While it runs.
    Node* node_ = nullptr;
    TaskScope* scope_ = nullptr;
    std::vector<std::shared_ptr<Kept>> all_;  // as alknet.toml has them
};

/// `services/list-peers`. The imports outlive the registry's use.
result<void> add_import_operations(call::OperationRegistry& registry, const NodeImports& imports);

}  // namespace alknet::app
