// A running node: what is made once, and what a reload replaces.
#pragma once

#include <alknet/base/log_sink.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/config/change.hpp>
#include <alknet/config/home.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/identity/audit_log.hpp>
#include <alknet/identity/invitation_state.hpp>
#include <alknet/identity/provider.hpp>
#include <alknet/identity/signed_provider.hpp>
#include <alknet/net/network.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/snapshot.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/store/store.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event_feed.hpp"
#include "http_service.hpp"
#include "json.hpp"
#include "key_news.hpp"
#include "node_info.hpp"
#include "node_views.hpp"
#include "peers.hpp"
#include "run_as.hpp"

namespace alknet::ssh {
struct Subsystems;
}  // namespace alknet::ssh

namespace alknet::app {

/// An address that is open.
struct Listening {
    ListenerOptions options;
    SocketAddress bound;
    std::string key;  // the endpoint's name for it, which stays when the configured one changes
};

/// A service that is not the node's own, which known peers with the scope may use.
struct FurtherService {
    std::string alpn;
    std::string scope;
    std::function<std::shared_ptr<ProtocolHandler>(Loop& loop)> make;
};

struct NodeOptions {
    std::shared_ptr<LineLogSink> log_sink;
    std::shared_ptr<net::Network> network;
    /// Where to listen instead of where the configuration says; empty: there.
    std::vector<config::Listener> listeners;
    std::string config_text;  // that the configuration was read from
    /// What became of a change that nobody had confirmed when the node started, for the log.
    config::Undone undone = config::Undone::nothing;
    /// On which connections are served; null: on the node's own loop. Outlives the node.
    LoopGroup* loops = nullptr;
    /// Called, on any loop, when the node itself has changed state.db in a way that asks for a
    /// reload: the file's watch tells of other programs alone.
    std::function<void()> state_changed;
    /// What peers can call, each with its scopes; null: alknet/call is not served.
    std::shared_ptr<const call::OperationRegistry> operations{};
    /// Told of everything that the audit log is; null: nobody watches.
    std::shared_ptr<EventFeed> events{};
    std::vector<FurtherService> services{};
    /// What `ssh -s` leads to; null: nothing.
    std::shared_ptr<const ssh::Subsystems> subsystems{};
};

/// What the SSH of all loops has in common (node_ssh.cpp).
struct SshShared;
[[nodiscard]] std::shared_ptr<SshShared> make_ssh_shared();

class Node {
public:
    /// Nothing is open yet. Errors: those of an unusable key, certificate or secrets.
    static result<std::unique_ptr<Node>> create(Loop& loop, config::Home home,
                                                config::Config config, NodeOptions options);

    /// Opens what is configured. Errors: those of Endpoint::listen, with the listener's name.
    result<std::vector<Listening>> listen();

    /// Whether alknet.toml or state.db says something else than when it was read last, or cannot be
    /// read.
    task<bool> edited();
    /// Reads both again, and ends what they no longer allow. What is wrong with them is logged and
    /// given back, and then nothing changes; a listener that cannot be opened is logged, and the
    /// others stand.
    task<result<void>> reload();

    /// Whether somebody may use a service over this transport. Errors: kNoHandler; those of admit.
    [[nodiscard]] result<void> may_use(std::string_view service, Transport transport,
                                       const std::optional<Identity>& caller) const;

    /// Gives the key file the key that the node shows, if statements lead from it to the file's.
    /// Errors: those of identity::take_key_back.
    result<void> take_key_back();

    /// What it is and has, for people who look after it.
    [[nodiscard]] NodeInfo info() const;
    /// Looks at each way to a peer, in a few seconds. Errors: kUnknownPeer; kCancelled.
    task<result<PathsOfPeer>> paths(std::string name);
    /// A connection to a peer that has a node id and an address, as what alknet.toml says of it
    /// allows. Errors: kUnknownPeer; kForbidden for one that is disabled or whose term has ended;
    /// those of Dialer::dial.
    task<result<std::shared_ptr<Connection>>> dial_peer(std::string name, std::string alpn);
    /// Whether whoever has proven this key is the peer of this name, today.
    [[nodiscard]] bool is_peer(std::string_view name, const std::string& fingerprint) const;
    /// By which the node knows the peer, whatever its name. Errors: kUnknownPeer.
    [[nodiscard]] result<std::string> id_of_peer(std::string_view name) const;
    /// Those of the configuration that is in force.
    [[nodiscard]] const std::vector<config::Import>& imports() const noexcept {
        return config_.dynamic.imports;
    }
    /// Awaited each time that somebody may have lost what they had.
    void set_recheck(std::function<task<void>()> recheck) { also_recheck_ = std::move(recheck); }
    /// The addresses that are open, with the ports that they have.
    [[nodiscard]] std::vector<SocketAddress> listening() const;
    [[nodiscard]] Endpoint& endpoint() noexcept { return *endpoint_; }
    /// Answers for all kinds of credentials.
    [[nodiscard]] const std::shared_ptr<IdentityProvider>& resolver() const noexcept {
        return resolver_;
    }
    /// Who serves on this loop beside the endpoint, and is told of changes of identities too.
    void set_local(const std::shared_ptr<ProtocolHandler>& handler) noexcept { local_ = handler; }
    [[nodiscard]] const std::shared_ptr<store::Store>& state() const noexcept { return state_; }

    /// Tries listeners that a reload could not open again and again: what has the address, another
    /// program or old connections of our own, may go. Runs until it is cancelled.
    task<result<void>> retry_listeners();

    /// Ends what a peer's term no longer allows, each time that one ends. For ever. Errors:
    /// kCancelled.
    task<result<void>> watch_terms();
    /// Takes SSH clients on bare TCP, where alknet.toml says so at the time. For ever. Errors:
    /// kCancelled.
    task<result<void>> serve_ssh();
    /// Takes programs of this machine that ask how the node is, where alknet.toml says so at the
    /// time. For ever. Errors: kCancelled.
    task<result<void>> serve_status();
    /// Those on its SSH sessions, if it is built with SSH. On its loop.
    result<void> add_ssh_operations_to(call::OperationRegistry& registry) const;
    /// Tells peers that have an address what has become of this node's key. For ever. Errors:
    /// kCancelled.
    task<result<void>> announce_key();
    /// Undoes a change of alknet.toml that nobody confirms in time (config/change.hpp). For ever.
    /// Errors: kCancelled.
    task<result<void>> watch_pending();
    /// Somebody has set the clock, or the machine slept: terms may have ended meanwhile.
    void clock_changed() noexcept {
        terms_changed_.set();
        config_changed_.set();
    }

    /// Ends in order; see Endpoint::shutdown.
    task<void> stop();

    /// Which file of OpenSSH's peers come from; empty: none.
    [[nodiscard]] const std::filesystem::path& authorized_keys_file() const noexcept {
        return config_.dynamic.authorized_keys.file;
    }
    [[nodiscard]] const NodeId& id() const noexcept { return key_->id(); }
    [[nodiscard]] const Log& log() const noexcept { return log_; }
    [[nodiscard]] const std::shared_ptr<Metrics>& metrics() const noexcept { return metrics_; }

private:
    // What decides how the node behaves.
    struct Source {
        std::string text;           // of alknet.toml
        identity::PeerList stored;  // in state.db
        AuthorizedText authorized;
        bool operator==(const Source&) const = default;
    };

    Node(Loop& loop, config::Home home, config::Config config, NodeOptions options);
    result<void> build();
    result<void> register_handlers(HandlerRegistry& registry, Loop& loop) const;
    [[nodiscard]] std::shared_ptr<ProtocolHandler> make_join_handler() const;
    [[nodiscard]] std::shared_ptr<ProtocolHandler> make_rotate_handler() const;
    /// How a peer is dialled; nullopt: it has no address, or no node id.
    struct PeerTarget {
        NodeAddress address;
        DialOptions options;
    };
    [[nodiscard]] std::optional<PeerTarget> target_of(const identity::PeerRecord& peer,
                                                      std::string_view alpn) const;
    [[nodiscard]] std::unique_ptr<Dialer> make_dialer() const;
    result<void> read_key_news();
    /// The key that the file has, if statements lead from the node's own to it; else the node's.
    [[nodiscard]] std::shared_ptr<const NodeKey> key_now() const;
    void take_key(std::shared_ptr<const NodeKey> key);
    task<bool> announce_to(Dialer& dialer, identity::PeerRecord peer);
    /// Those that a join must not touch. Warns of the lines of authorized_keys that are refused.
    [[nodiscard]] std::shared_ptr<const identity::PeerList> fixed_peers(
        const config::DynamicConfig& config, const identity::PeerList& stored) const;
    task<result<Source>> read();
    void audit(std::string_view event, const error* why) const;
    std::optional<RunAs> who_runs_commands(const config::SshRules& rules);
    result<void> apply(const Source& source);
    void warn_of_terms() const;
    task<void> recheck_identities();
    /// What answers for all kinds of credentials.
    result<std::shared_ptr<IdentityProvider>> make_identities();
    void apply_token_rules(const identity::SignedTokenRules& rules);
    void warn_of_admins(const identity::PeerDirectory& after) const;
    void record_applied(const std::string& text);
    [[nodiscard]] std::optional<Duration> undo_if_due();
    /// Whole seconds until a change is undone that waits to be confirmed.
    [[nodiscard]] std::optional<std::uint64_t> undone_in() const;
    void log_undone(config::Undone undone) const;
    void apply_listeners(const std::vector<config::Listener>& listeners);
    void apply_rules(const config::DynamicConfig& config, const std::optional<RunAs>& run_as);
    /// Whether a resumable stream that comes through `through` may reach a service: as a connection
    /// of that service could have come there.
    [[nodiscard]] result<void> may_open(const HandlerRegistry& registry, std::string_view alpn,
                                        const ConnectionInfo& through) const;
    result<void> add_resume(HandlerRegistry& registry, Loop& loop) const;
    // node_ssh.cpp
    result<void> add_ssh(HandlerRegistry& registry, Loop& loop) const;
    /// On the registry's loop.
    static void give_ssh_key(HandlerRegistry& registry, const std::shared_ptr<const NodeKey>& key);
    void apply_ssh(const config::DynamicConfig& config, const std::optional<RunAs>& run_as);
    /// `question` lacks the peer, here and below.
    result<void> may_connect(const Identity& identity,
                             const identity::ForwardQuestion& question) const;
    /// A place by the rule's streams_max; see ssh::SshAdapterOptions.
    result<std::shared_ptr<const void>> occupy(const Identity& identity,
                                               identity::ForwardQuestion question) const;
    /// Whether the rule has the target told who comes.
    [[nodiscard]] bool announces(const Identity& identity,
                                 identity::ForwardQuestion question) const;
    result<void> may_forward(const Identity& identity, identity::ForwardQuestion question) const;
    [[nodiscard]] bool listens_on(const SocketAddress& address) const;
    task<void> listen_ssh(SocketAddress address, TaskScope& connections);
    task<result<void>> accept_ssh(SocketAddress address, TaskScope& connections);
    // node_status.cpp
    void apply_status(const config::HttpStatus& wanted);
    task<void> listen_status(SocketAddress address, TaskScope& connections);
    task<result<void>> accept_status(SocketAddress address, TaskScope& connections);
    void publish_listening();
    /// Tickets of `before` stay good; it may be null.
    static result<std::shared_ptr<const tls::TlsContext>> make_tls(
        std::shared_ptr<const NodeKey> key, const config::DynamicConfig& config,
        const tls::TlsContext* before);
    result<Listening> open(ListenerOptions options, std::string key);
    void open_or_retry(ListenerOptions options);
    void change(Listening& listening, ListenerOptions options);
    [[nodiscard]] std::string next_key() { return std::to_string(++keys_drawn_); }

    Loop& loop_;
    config::Home home_;
    config::Config config_;
    NodeOptions options_;
    Log log_;
    std::shared_ptr<identity::AuditLog> audit_;
    std::shared_ptr<AuditSink> decisions_;  // leads there
    std::shared_ptr<const NodeKey> key_;
    /// Its id, for the handlers of all loops.
    const std::shared_ptr<Snapshot<NodeId>> own_id_ =
        std::make_shared<Snapshot<NodeId>>(std::make_shared<const NodeId>());
    std::shared_ptr<const tls::TlsContext> tls_;
    std::shared_ptr<HandlerRegistry> registry_ = std::make_shared<HandlerRegistry>();
    std::shared_ptr<identity::ConfigIdentityProvider> identities_;
    std::shared_ptr<identity::SignedTokenProvider> signed_tokens_;
    std::shared_ptr<IdentityProvider> resolver_;
    std::weak_ptr<ProtocolHandler> local_{};
    std::function<task<void>()> also_recheck_{};
    std::shared_ptr<Snapshot<identity::PeerList>> written_;  // the peers of alknet.toml
    const std::shared_ptr<Snapshot<identity::FixedPeers>> joining_ =
        std::make_shared<Snapshot<identity::FixedPeers>>(
            std::make_shared<const identity::FixedPeers>());
    /// Where the doctor may dial back.
    Snapshot<WaysOfKeys> ways_{std::make_shared<const WaysOfKeys>()};
    /// Where connections may be made for peers, and where bare SSH listens.
    Snapshot<std::vector<identity::ForwardRule>> forwarding_{
        std::make_shared<const std::vector<identity::ForwardRule>>()};
    Snapshot<std::vector<SocketAddress>> ssh_bound_{
        std::make_shared<const std::vector<SocketAddress>>()};
    /// How many connections each peer has by each rule, on all loops.
    struct ForwardPlaces {
        std::mutex mutex;
        std::map<std::pair<std::string, std::string>, std::uint32_t> taken;
    };
    const std::shared_ptr<ForwardPlaces> forward_places_ = std::make_shared<ForwardPlaces>();
    const std::shared_ptr<SshShared> ssh_shared_ = make_ssh_shared();
    config::SshRules ssh_;
    /// Whom commands of SSH run as, for the handlers of all loops.
    Snapshot<std::optional<RunAs>> run_as_{std::make_shared<const std::optional<RunAs>>()};
    Event ssh_changed_;
    config::HttpStatus status_;
    Event status_changed_;
    Snapshot<std::vector<SocketAddress>> status_bound_{
        std::make_shared<const std::vector<SocketAddress>>()};
    std::shared_ptr<store::Store> state_;
    const std::shared_ptr<Snapshot<KeyNews>> key_news_ =
        std::make_shared<Snapshot<KeyNews>>(std::make_shared<const KeyNews>());
    Event key_news_changed_;
    Event terms_changed_;
    Event config_changed_;
    std::string recorded_;            // what alknet.toml.applied says
    std::string revision_;            // of what is in force
    std::optional<error> refused_{};  // why what the files say is not
    std::shared_ptr<Metrics> metrics_ = std::make_shared<Metrics>();
    std::shared_ptr<HttpService> http_;
    const std::shared_ptr<resume::StreamDirectory> resumable_ = resume::make_stream_directory();
    std::unique_ptr<Endpoint> endpoint_;
    std::unique_ptr<Dialer> outgoing_;
    const TimePoint began_ = loop_.now();
    std::vector<Listening> listening_;
    /// The same, for the handlers of all loops.
    Snapshot<std::vector<Listening>> listening_now_{
        std::make_shared<const std::vector<Listening>>()};
    std::vector<ListenerOptions> missing_;  // wanted, and not open yet
    Event listeners_missing_;
    std::uint64_t keys_drawn_ = 0;
    Source source_;  // the last that was read, good or bad
};

/// One for each address; those after the first are named NAME/2, NAME/3, ….
[[nodiscard]] std::vector<ListenerOptions> listener_options(
    const std::vector<config::Listener>& listeners);

}  // namespace alknet::app
