// KeyFollower: what becomes of the keys of nodes that this side knows. A key is believed instead of
// a known one if that one has signed it (docs/protocol/rotation.md), and for nothing else.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/identity/rotation.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <optional>
#include <vector>

namespace alknet::app {

/// The keys that these peers have now, wherever they were written down; of two the one that was
/// shown comes first.
void follow_key_changes(std::vector<config::Peer>& peers,
                        const std::vector<identity::KeyChange>& changes, WallTime now);

class KeyFollower {
public:
    /// Without a home nothing is remembered. The dialer, which shows a key that nobody knows, and
    /// the loop outlive this.
    KeyFollower(Loop& loop, Dialer& stranger, std::optional<config::Home> home,
                std::vector<identity::KeyChange> changes)
        : loop_(loop), stranger_(stranger), home_(std::move(home)), changes_(std::move(changes)) {}

    /// Asks whoever is there now, whom nobody has verified, what has become of the key `pinned`.
    /// The key that they prove is given back if all statements from the one to the other hold, and
    /// contradict nothing that was accepted before; if a peer of the home has the key, that is
    /// remembered first. nullopt: there is no such key. Errors: why it is not believed.
    task<result<std::optional<NodeId>>> successor(NodeAddress address, DialOptions options,
                                                  NodeId pinned);

    /// Somebody has proven this key, which was demanded. If it was to come, those before it end.
    void reached(const NodeId& key);

private:
    /// Whether what was accepted before leads from the one to the other.
    [[nodiscard]] bool leads(const NodeId& from, const NodeId& to) const;
    result<void> believe(const std::vector<identity::Rotation>& chain);

    Loop& loop_;
    Dialer& stranger_;
    std::optional<config::Home> home_;
    std::vector<identity::KeyChange> changes_;
};

}  // namespace alknet::app
