// SshAdapter: SSH on any connection; each of its bidirectional streams is one SSH connection. Who
// logs in is a peer, known by its key as everywhere else, and may do what its scopes and the
// forwarding rules say: nothing, where they say nothing.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/core/audit.hpp>
#include <alknet/core/stream_handler.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/net/network.hpp>
#include <alknet/process/user.hpp>
#include <alknet/ssh/forward_place.hpp>
#include <alknet/ssh/limits.hpp>
#include <alknet/ssh/listeners.hpp>
#include <alknet/ssh/places.hpp>
#include <alknet/ssh/session_table.hpp>
#include <alknet/ssh/subsystems.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {

inline constexpr std::string_view kSshAlpn = "alknet/ssh";
/// To have connections made, to where a forwarding rule allows it.
inline constexpr std::string_view kConnectScope = "ssh:connect";
/// To have the node listen, where a forwarding rule allows it.
inline constexpr std::string_view kListenScope = "ssh:listen";
/// To have commands run, and to have a shell.
inline constexpr std::string_view kExecScope = "ssh:exec";
inline constexpr std::string_view kShellScope = "ssh:shell";
/// To have those ask one's agent.
inline constexpr std::string_view kAgentScope = "ssh:agent";

struct SshAdapterOptions {
    std::shared_ptr<const NodeKey> host_key;
    std::shared_ptr<IdentityProvider> identities;
    std::shared_ptr<net::Network> network;
    /// Whether a key is that of a peer who is not let in any more, so that no certificate for it
    /// is worth anything either. On any loop, not blocking; empty: no key is.
    std::function<bool(const std::string& fingerprint)> is_revoked{};
    /// Whether a connection may be made for a peer. The detail of kForbidden is told to the peer.
    /// On any loop, not blocking; empty: none may.
    std::function<result<void>(const Identity& identity, const ForwardPlace& place)> may_connect{};
    /// Takes a place for a connection that was made, among those that the peer may have at a time
    /// there; it is given up with what this gives. Errors: kLimit, kForbidden. As above; empty: no
    /// limit.
    std::function<result<std::shared_ptr<const void>>(const Identity& identity,
                                                      const ForwardPlace& place)>
        occupy{};
    /// Whether a target is told with a PROXY header (version 2) from where its client comes. As
    /// above; empty: none is.
    std::function<bool(const Identity& identity, const ForwardPlace& place)> announces{};
    /// `may_connect` and `occupy` for listening, and for connections that come there.
    std::function<result<void>(const Identity& identity, const ForwardPlace& place)> may_listen{};
    std::function<result<std::shared_ptr<const void>>(const Identity& identity,
                                                      const ForwardPlace& place)>
        occupy_listening{};
    /// Of all loops; null: no listener is taken over.
    std::shared_ptr<Listeners> listeners{};
    std::shared_ptr<Places> listener_places{};  // null: as many as one connection may have
    /// Whom commands and shells run as, at the time; nullopt, and empty: there are none. As above.
    std::function<std::optional<process::RunAs>()> run_as{};
    /// The sessions of each identity; null: as many as one connection may have.
    std::shared_ptr<Places> programs{};
    std::shared_ptr<const Subsystems> subsystems{};  // null: there are none
    /// What clients may call with `call OPERATION` in the place of a command; null: nothing.
    std::shared_ptr<const call::OperationRegistry> operations{};
    /// Whether a peer may call at all. On the adapter's loop; empty: nobody may.
    std::function<result<void>(const Identity& identity, alknet::Transport transport)> may_call{};
    std::shared_ptr<SessionTable> table{};  // of all loops; null: nobody looks
    Log log{};
    std::shared_ptr<AuditSink> audit{};  // null: nobody asks
    std::size_t logins_max = kLoginsMax;
};

class ChannelStreams;
class Session;

class SshAdapter final : public StreamHandler {
public:
    explicit SshAdapter(SshAdapterOptions options);
    ~SshAdapter() override;

    [[nodiscard]] std::vector<std::string> alpns() const override;
    /// Ends the sessions, with a word to their clients.
    task<void> shutdown() override;

    /// Sessions that begin from now on show this key; those that there are keep theirs.
    void set_host_key(std::shared_ptr<const NodeKey> key) noexcept;

    /// Rules may have changed too: what they no longer allow ends, and nothing else.
    task<void> recheck_identities() override;
    [[nodiscard]] std::size_t sessions() const noexcept { return sessions_.size(); }

private:
    friend class Session;
    task<result<void>> handle_stream(BiStream& stream, const StreamContext& context) override;
    [[nodiscard]] bool has_room_for_a_login() const;
    /// Null: no session of the connection has agreed on them.
    [[nodiscard]] std::shared_ptr<ChannelStreams> streams_of(const Connection& connection) const;
    std::shared_ptr<ChannelStreams> make_streams(const Connection& connection);

    const SshAdapterOptions options_;  // its host key aside, which is the one below
    std::shared_ptr<const NodeKey> host_key_;
    std::set<Session*> sessions_;
    std::map<const Connection*, std::weak_ptr<ChannelStreams>> streams_;
    std::size_t logins_ = 0;  // of them, those that nobody has logged in to
};

}  // namespace alknet::ssh
