// The imports of [[call.import]]: operations of other nodes among the node's own.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/call/peer_import.hpp>
#include <alknet/config/config.hpp>
#include <alknet/rt/loop.hpp>
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
        "why it is away"};
};
struct ImportedPeers {
    std::vector<ImportedPeer> peers;
};

class NodeImports {
public:
    /// Nothing is dialled yet.
    NodeImports(Loop& loop, const std::vector<config::Import>& imports, const Log& log);
    NodeImports(const NodeImports&) = delete;
    NodeImports& operator=(const NodeImports&) = delete;
    ~NodeImports() = default;

    /// For a registry, which may outlive this.
    [[nodiscard]] std::vector<std::shared_ptr<const call::OperationSource>> operations() const;
    /// Keeps them up until it is cancelled; without any there is nothing to keep. The node outlives
    /// that.
    task<result<void>> run(Node& node);
    /// What was accepted, or who the peers are, may have changed: ends once this follows.
    task<void> recheck();
    /// Those with an operation that the caller may call; with `all`, the others too.
    [[nodiscard]] std::vector<ImportedPeer> peers(const std::vector<const call::Operation*>& may,
                                                  bool all) const;

private:
    call::PeerImportOptions options_for(const config::Import& import);

    Loop& loop_;
    const Log log_;
    Node* node_ = nullptr;  // while it runs
    std::vector<std::unique_ptr<call::PeerImport>> all_;
};

/// `services/list-peers`. The imports outlive the registry's use.
result<void> add_import_operations(call::OperationRegistry& registry, const NodeImports& imports);

}  // namespace alknet::app
