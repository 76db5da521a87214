// TrustingDialer: who is believed to be a host that is named without its key. A decorator of
// Dialer; addresses with a node id, and dials that say themselves what they verify, pass it, unless
// what they demand has a successor.
//
// A name is known in one way from the first time on (KnownNodes): by a certificate that the
// system's authorities verify, or, if somebody agrees to trust it on first use, by its key. No
// other way, no other key and no other rung of the ladder is accepted later.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/core/known_nodes.hpp>
#include <alknet/rt/task.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace alknet {

/// What a person has to know to decide about a first contact.
struct TrustQuestion {
    std::string name;      // host:port
    KnownIdentity shown;   // never by authorities
    std::string unproven;  // why authorities do not verify it
};

/// A known name that does not show what it did before.
struct TrustBroken {
    std::string name;
    KnownIdentity known;
    std::filesystem::path file;
    std::size_t line = 0;
    std::string shown;   // its fingerprint now, or why there is none
    std::string remove;  // the command that forgets the name
};

struct TrustOptions {
    /// known_nodes. Empty: nothing is known or remembered, and only authorities are believed.
    std::filesystem::path file;
    /// Trusts every first contact that is not disputed.
    bool trust_first_use = false;
    /// Asks a person. Null: nobody can be asked. Errors end the dial.
    std::function<task<result<bool>>(TrustQuestion)> ask;
    /// Told before the dial fails with kPeerKeyMismatch. May be null.
    std::function<void(const TrustBroken&)> broken;
    /// The key that whoever showed another one than `pinned` has instead, if that was believed;
    /// nullopt: it was not. Asked before the dial fails with kPeerKeyMismatch; then the node must
    /// prove the new key, and a known name has it from then on. Null: a key has no successor.
    std::function<task<result<std::optional<NodeId>>>(NodeAddress address, DialOptions options,
                                                      NodeId pinned)>
        successor{};
    /// Told of every key that was demanded and proven. May be null.
    std::function<void(const NodeId&)> reached{};
    /// The command that forgets NAME, without NAME.
    std::string remove_command = "alknet known remove";
};

/// `dialer` proves our key to nodes; `stranger` proves one that nobody knows, and only looks who is
/// there. Errors of a dial, besides those of Dialer: kPeerUnverified for a first contact that
/// nobody agrees to; kPeerKeyMismatch for a name that is not what it was, and for a first contact
/// that is disputed, because two rungs or two first contacts at a time saw different keys; those of
/// KnownNodesFile.
[[nodiscard]] std::unique_ptr<Dialer> make_trusting_dialer(Loop& loop,
                                                           std::unique_ptr<Dialer> dialer,
                                                           std::unique_ptr<Dialer> stranger,
                                                           TrustOptions options);

}  // namespace alknet
