// alknet/rotate: nodes tell what has become of their keys (docs/protocol/rotation.md). Anybody may
// ask, because a statement says nothing that is secret and is believed for its signatures alone.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/core/audit.hpp>
#include <alknet/core/handler.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/identity/rotate_frames.hpp>
#include <alknet/identity/rotation_state.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/store/store.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

inline constexpr std::string_view kRotateAlpn = "alknet/rotate";
/// For a question or a message, with its answer.
inline constexpr Duration kRotateTimeout = std::chrono::seconds(10);

struct RotateHandlerOptions {
    /// What has become of the node's own key. On the handler's loop.
    std::function<std::vector<Rotation>()> own;
    std::shared_ptr<store::Store> state;
    /// What alknet.toml says. Called on the store's thread.
    std::function<std::shared_ptr<const PeerList>()> fixed;
    /// A peer's key has changed: the node is to read its state again. Any thread; null: it does
    /// anyway.
    std::function<void()> changed;
    Log log;
    std::shared_ptr<AuditSink> audit{};  // null: nobody asks
    std::size_t connections_max = 64;    // served at a time, on this loop
    Duration timeout = kRotateTimeout;
};

class RotateHandler final : public ProtocolHandler {
public:
    explicit RotateHandler(RotateHandlerOptions options) : options_(std::move(options)) {}

    [[nodiscard]] std::vector<std::string> alpns() const override {
        return {std::string(kRotateAlpn)};
    }
    /// Errors: kLimit; kProtocol; kTimeout; those of the store.
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) override;

private:
    task<result<void>> serve(std::shared_ptr<Connection> connection, AuthContext auth);
    task<result<void>> hear(AuthContext auth, std::vector<Rotation> chain);

    RotateHandlerOptions options_;
    std::size_t running_ = 0;
};

/// For the audit log and the log: whose key, and which.
[[nodiscard]] AuditEntry audit_entry(const AcceptedChange& change);

/// What has become of the node's keys, on a connection that need not be verified: what comes proves
/// itself. Errors: kProtocol; kTimeout; those of the connection.
task<result<std::vector<Rotation>>> ask_rotations(std::shared_ptr<Connection> connection,
                                                  Duration timeout = kRotateTimeout);

/// Says what has become of this side's key, on a connection that shows one of the keys. The other
/// side does not say what it makes of it. Errors: likewise.
task<result<void>> tell_rotations(std::shared_ptr<Connection> connection,
                                  std::vector<Rotation> chain, Duration timeout = kRotateTimeout);

}  // namespace alknet::identity
