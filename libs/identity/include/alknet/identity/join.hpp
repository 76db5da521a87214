// alknet/join: how an invitation is spent (docs/protocol/invitation.md). The node's half is a
// handler for strangers, who get one answer for whatever is wrong.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/core/audit.hpp>
#include <alknet/core/handler.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/identity/invitation.hpp>
#include <alknet/identity/invitation_state.hpp>
#include <alknet/identity/join_frames.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/store/store.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

inline constexpr std::string_view kJoinAlpn = "alknet/join";

/// Counts what strangers have tried in vain, by SocketAddress::limit_group.
class GuessLimit {
public:
    static constexpr std::uint32_t kGuessesMax = 10;  // within kWindow
    static constexpr Duration kWindow = std::chrono::minutes(1);
    static constexpr std::size_t kAddressesMax = 1024;  // more: the oldest is forgotten

    [[nodiscard]] bool exceeded(const SocketAddress& remote, TimePoint now) const;
    void count(const SocketAddress& remote, TimePoint now);
    [[nodiscard]] std::size_t size() const noexcept { return guesses_.size(); }

private:
    struct Guesses {
        std::uint32_t count = 0;
        TimePoint began;
    };
    std::map<SocketAddress, Guesses> guesses_;
};

struct JoinHandlerOptions {
    std::function<NodeId()> node;  // whose id; any thread
    std::shared_ptr<store::Store> state;
    /// What alknet.toml says. Called on the store's thread, as what it gives is.
    std::function<FixedPeers()> fixed;
    /// Somebody has joined: the node is to read its state again. Any thread; null: it does anyway.
    std::function<void()> changed;
    /// Whether the node lets this fingerprint in by now. What was joined is told after that, so
    /// that whoever has joined can begin at once.
    std::function<bool(const std::string& fingerprint)> admitted;
    Log log;
    std::shared_ptr<AuditSink> audit{};  // null: nobody asks
    /// Served at a time, on this loop, and of those waiting for a confirmation.
    std::size_t connections_max = 64;
    std::size_t waiting_max = 16;
    Duration ask_timeout = std::chrono::seconds(10);
    Duration confirm_timeout = std::chrono::minutes(10);
    Duration confirm_interval = std::chrono::milliseconds(500);  // between looks at the state
    Duration admit_timeout = std::chrono::seconds(5);
};

class JoinHandler final : public ProtocolHandler {
public:
    explicit JoinHandler(JoinHandlerOptions options) : options_(std::move(options)) {}

    [[nodiscard]] std::vector<std::string> alpns() const override {
        return {std::string(kJoinAlpn)};
    }
    /// Errors: kLimit; kProtocol; kTimeout; those of the store.
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) override;

private:
    struct Guest;
    task<result<void>> serve(Guest& guest);
    task<result<JoinMessage>> answer(Guest& guest, JoinAsk ask);
    task<result<JoinMessage>> settle(Guest& guest, ClaimOutcome outcome);
    task<result<ClaimOutcome>> wait_for_owner(Guest& guest, ClaimOutcome waiting);
    task<result<void>> wait_until_admitted(const Guest& guest);
    JoinMessage refuse(const Guest& guest, const ClaimOutcome& outcome);
    void audit(const Guest& guest, std::string_view event, const ClaimOutcome& outcome) const;

    JoinHandlerOptions options_;
    GuessLimit guesses_;
    std::size_t running_ = 0;
    std::size_t waiting_ = 0;
};

/// Whoever joins.
struct Joiner {
    NodeId id;         // of the key that the connection shows
    std::string name;  // proposed
    /// Called with the digits to be compared, if there are any.
    std::function<result<void>(const std::string& code)> compare;
    Duration answer_timeout = std::chrono::seconds(20);
};

struct Joined {
    bool known_before = false;
    std::string name;  // as which the node knows this one; empty: it did before
    std::vector<std::string> scopes;
};

/// The joiner's half, on a connection that is pinned to the inviting node's key. Errors:
/// kInvitationRefused; kProtocol; kTimeout; those of the connection and of `compare`.
task<result<Joined>> spend_invitation(std::shared_ptr<Connection> connection, Invitation invitation,
                                      Joiner joiner);

}  // namespace alknet::identity
