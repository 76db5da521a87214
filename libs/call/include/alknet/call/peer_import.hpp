// PeerImport: the operations of other nodes, offered here under a prefix for as long as this runs:
// learnt when one is reached, called over one connection to it, and learnt again after each loss.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/imported.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::call {

struct PeerImportOptions {
    std::string prefix;
    /// As people call them. What several offer alike is called at the first of them that is there;
    /// what they offer differently is the first's who does.
    std::vector<std::string> peers;
    std::size_t hops_max = 0;  // of what one has imported itself: over how many more nodes
    /// A connection on which the peer has proven who it is.
    std::function<task<result<std::shared_ptr<Connection>>>(std::string peer)> dial;
    /// Whether that connection is one that `dial` would make today.
    std::function<bool(const std::string& peer, const Connection& connection)> still;
    /// Whether somebody wants this one, by its name there.
    std::function<bool(std::string_view remote)> wanted;
    /// Of what the peer offers, that which may be offered here now.
    std::function<task<result<std::vector<RemoteOperation>>>(std::string peer,
                                                             std::vector<RemoteOperation> found)>
        admit;
    /// What a caller needs for the operation of this name here.
    std::function<result<identity::Scope>(std::string_view name)> scope;
    /// For the log, where `admit` holds something back: how somebody lets it in.
    std::string next_step{};
    Log log{};
};

/// How it stands with one peer of an import.
struct PeerImportStatus {
    std::string prefix;
    std::string peer;
    bool connected = false;
    std::set<std::string> offered{};  // names here
    std::size_t held_back = 0;        // by `admit`
    std::string problem;  // why it was not reached last, or lost, or what is not offered
};

/// Belongs to the loop on which operations run. Calls carry what is left of their caller's time,
/// and their ends are told; what they are for is named in `forwarded_for`, without its scopes.
class PeerImport {
public:
    /// Between one attempt to reach the peer and the next: doubled each time, from the first.
    static constexpr Duration kAgainFirst = std::chrono::seconds(1);
    static constexpr Duration kAgainLongest = std::chrono::seconds(30);
    /// How long the peer has to say what it offers.
    static constexpr Duration kDiscoveryTimeout = std::chrono::seconds(20);
    /// How often it is asked whether it offers something else now.
    static constexpr Duration kLookAgain = std::chrono::seconds(30);

    [[nodiscard]] static std::unique_ptr<PeerImport> create(Loop& loop, PeerImportOptions options);
    virtual ~PeerImport() = default;

    /// What they offer, for a registry. Calls there fail with kImportAway while no peer of theirs
    /// is there, with kImportLost when it may have been done, and with kImportRefused where the
    /// peer does not let this node. They may outlive this.
    [[nodiscard]] virtual std::shared_ptr<const OperationSource> operations() const = 0;
    /// Reaches the peers, again and again, until this is cancelled. Once. Errors: kCancelled.
    virtual task<result<void>> run() = 0;
    /// What `still` and `admit` say may have changed: ends once this follows them.
    virtual task<void> recheck() = 0;
    /// In the order of the peers.
    [[nodiscard]] virtual std::vector<PeerImportStatus> status() const = 0;
};

}  // namespace alknet::call
