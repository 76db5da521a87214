// Endpoint: the node's listeners, and the way of a connection from its first packet to its handler:
// admission, handshake, ALPN, identity, policy, handler, close.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/base/result.hpp>
#include <alknet/core/audit.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/core/registry.hpp>
#include <alknet/net/address_range.hpp>
#include <alknet/net/network.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/loop_group.hpp>
#include <alknet/tls/context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet {

/// What a client over TCP gets whose ALPN list has nothing that is served.
enum class UnknownAlpn : std::uint8_t {
    alert,  // no_application_protocol (RFC 7301)
    http,   // HTTP/1.1, where that is served, as who names no protocol at all
};

struct ListenerOptions {
    std::string name;       // for logs and metrics
    SocketAddress address;  // port 0: one free number for both UDP and TCP
    bool quic = true;
    bool tcp = true;
    std::vector<std::string> alpns;  // empty: all that are registered
    quic::Congestion congestion = quic::Congestion::bbr;
    /// Whose TCP connections begin with a PROXY protocol header, which says whom they are from.
    std::vector<net::AddressRange> proxies{};
    UnknownAlpn unknown_alpn = UnknownAlpn::alert;
};

/// Each has its key under [limits] in alknet.toml; a limit that strikes names it.
struct EndpointLimits {
    /// One of so many connections may be of an address that was not proven, whatever
    /// half_open_retry allows.
    static constexpr std::size_t kUnprovenShare = 4;

    std::size_t connections_max = 10'000;
    std::size_t connections_per_ip_max = 100;  // IPv6 by /56
    std::size_t connections_per_identity_max = 100;
    std::size_t half_open_max = 1'000;
    std::size_t half_open_retry = 100;  // above this many, QUIC clients must prove their address
    Duration handshake_timeout = std::chrono::seconds(10);
    Duration idle_timeout = std::chrono::minutes(5);
    std::uint64_t streams_max = 100;
    std::uint64_t streams_unauthenticated_max = 8;
    std::uint64_t connection_bytes_max = 16 << 20;
    std::uint64_t connection_bytes_unauthenticated_max = 256 << 10;
    Duration shutdown_grace = std::chrono::seconds(2);
    /// How long a handler may go on once its connection has ended; then it is taken down.
    Duration handler_unwind_timeout = std::chrono::seconds(2);
    /// How long what a handler wrote before it returned has to reach the peer.
    Duration linger_timeout = std::chrono::seconds(5);
};

struct EndpointOptions {
    std::shared_ptr<net::Network> network;
    std::shared_ptr<const tls::TlsContext> tls;
    std::shared_ptr<HandlerRegistry> registry;
    std::shared_ptr<IdentityProvider> identities;  // null: everybody is a stranger
    EndpointLimits limits;
    quic::EndpointSecrets secrets;
    std::filesystem::path qlog_directory;  // empty: none
    Log log;
    std::shared_ptr<Metrics> metrics;  // null: nobody looks
    /// Who was let in to what, who was not, and why. Used on every loop; null: nobody asks.
    std::shared_ptr<AuditSink> audit{};
};

/// One connection whose handshake has ended, as it was when somebody looked.
struct ConnectionReport {
    std::string id;  // ConnectionInfo::trace_id: the other end knows it under the same
    std::string alpn;
    Transport transport = Transport::memory;
    SocketAddress remote;
    std::string fingerprint;                // empty: the other side showed no key
    std::optional<std::string> identity{};  // of the peer record; nullopt: a stranger
    Duration age{};
    ConnectionStats stats{};
};

/// Puts the handlers of one loop into that loop's registry. Called once for each loop but the
/// first, on its thread. What the handlers of different loops share must be thread-safe.
using RegisterHandlers = std::function<result<void>(HandlerRegistry& registry, Loop& loop)>;

/// On one loop, or on several that share its ports, limits, TLS, identities and metrics. A
/// connection stays on the loop that accepted it, with handlers of that loop's own. It is used from
/// the (first) loop, which outlives it.
class Endpoint {
public:
    static std::unique_ptr<Endpoint> create(Loop& loop, EndpointOptions options);
    /// `options.registry` is the first loop's, and has its handlers. `options.identities` and
    /// `options.network` are used on every loop. Errors: those of `handlers`.
    static result<std::unique_ptr<Endpoint>> create(LoopGroup& loops, EndpointOptions options,
                                                    const RegisterHandlers& handlers);
    /// `shutdown` must have ended.
    virtual ~Endpoint() = default;

    /// Binds UDP and TCP on the same port number and serves. With the name and the address of a
    /// listener that is there, changes the rest in place; without QUIC from then on, it keeps its
    /// UDP port and refuses newcomers there. Errors: kAddressInUse, kIo, kAlpnInvalid,
    /// kShuttingDown; kConfigInvalid for a name that listens elsewhere, and where neither
    /// transport is wanted. Gives the bound address.
    virtual result<SocketAddress> listen(ListenerOptions options) = 0;
    /// Stops listening; its connections live on, and QUIC keeps the UDP port until they have
    /// ended. False if there is no such listener.
    virtual bool unlisten(std::string_view name) = 0;
    [[nodiscard]] virtual std::vector<SocketAddress> local_addresses() const = 0;

    /// New handshakes use `context`; running ones keep theirs.
    virtual void set_tls(std::shared_ptr<const tls::TlsContext> context) = 0;
    /// Changes the registry of each loop, on its thread: of the first at once, of the others soon,
    /// and before what is asked of them after this.
    virtual void change_registry(const std::function<void(HandlerRegistry&)>& change) = 0;
    /// For new connections and, where it can, running ones.
    virtual void set_limits(const EndpointLimits& limits) = 0;

    /// Resolves the identities of the connections again and closes those whose peer has gone, is
    /// disabled or may do less than before (code 3), and those that the policy of their service
    /// would not let in now. Then tells the handlers.
    virtual task<void> recheck_identities() = 0;

    /// Hands a connection made elsewhere (a control socket, a tunnel, a test) to its handler under
    /// the same limits and policies. May be awaited on any of its loops, where the connection lives
    /// then. Returns when the connection has ended; cancelled, it closes
    /// the connection with code 7.
    virtual task<void> serve(std::shared_ptr<Connection> connection) = 0;

    /// How many QUIC connections somebody at this address (of any port) has begun, or tried to, in
    /// the last half a minute; for a diagnosis. The latest 64 addresses are remembered.
    /// Thread-safe.
    [[nodiscard]] virtual std::uint64_t beginnings_from(
        const SocketAddress& remote) const noexcept = 0;

    /// Every connection, the oldest of each loop first. Waits for the other loops.
    [[nodiscard]] virtual std::vector<ConnectionReport> list_connections() const = 0;
    /// Closes it with kOk. False: there is none of that id.
    virtual bool close_connection(std::string_view id) = 0;

    /// Half-open ones included.
    [[nodiscard]] virtual std::size_t connections() const noexcept = 0;
    [[nodiscard]] virtual std::size_t half_open() const noexcept = 0;

    /// In order: stop accepting, tell the handlers, wait up to the grace period, close with code 7,
    /// cancel the handlers that still run, drain. Ends whatever they do. Idempotent.
    virtual task<void> shutdown() = 0;
};

}  // namespace alknet
