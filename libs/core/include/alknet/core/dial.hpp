// Dialling a node: resolve its address, reach it by QUIC or TLS over TCP, verify it.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/core/node_address.hpp>
#include <alknet/core/path_memory.hpp>
#include <alknet/core/rung.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/net/network.hpp>
#include <alknet/net/proxy.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/tls/context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alknet {

struct DialOptions {
    std::vector<std::string> alpns;  // 1 to 8
    bool quic = true;                // tried first
    bool tcp = true;
    bool proxy = true;  // TLS over TCP through the environment's proxy, if it has one
    bool v4 = true;     // of the node's own addresses
    bool v6 = true;
    /// Begins at once; the others follow after kPreferredLead, or once it has failed. What is
    /// remembered of ways is neither asked nor told then, and nothing else is better than this.
    std::optional<RungKind> prefer{};
    /// Only rungs above this one: what a connection on it could be exchanged for. QUIC that has
    /// lost its place is not tried.
    std::optional<Rung> better_than;
    /// By default from the address: a pin if it has an id, else the CAs. A pin is never replaced by
    /// anything but another pin of the same id, or by VerifyNothing.
    std::optional<tls::Verify> verify;
    bool show_key = true;  // false: the peer meets a stranger
    /// Where it is set, the only way: TLS over what it makes to the node's host and port, which
    /// nobody here resolves. It takes the rung of a proxy, and nothing is remembered of it.
    std::function<task<result<net::TcpStream>>(std::string host, std::uint16_t port)> via{};
    quic::TransportOptions transport;  // of QUIC; its timeouts are TCP's too
};

struct Dialled {
    std::shared_ptr<Connection> connection;
    Rung rung = Rung::quic_v4;
    /// As what it is remembered; nullopt: this dial had nothing to remember.
    std::optional<PathKey> path{};
};

/// What dials know of the place that they are made from.
struct DialPlace {
    /// Not asked for loopback addresses, unless nothing else is allowed.
    net::ProxySettings proxies;
    /// What worked before begins at once. Null: nothing is remembered.
    std::shared_ptr<PathMemory> memory;
    /// Asked at each dial; null: all networks are one.
    std::function<NetworkIdentity()> network;
};

/// Owns the sockets that it dials from; connections keep what they need alive. One loop.
class Dialer {
public:
    /// When the rungs begin, counted from QUIC over IPv6; a rung that nothing leads to costs no
    /// time, and when all that runs has failed the next begins at once.
    static constexpr Duration kV4Delay = std::chrono::milliseconds(50);
    static constexpr Duration kTcpDelay = std::chrono::milliseconds(200);
    static constexpr Duration kProxyDelay = std::chrono::milliseconds(500);
    /// How far QUIC is put behind where it was much slower than TCP.
    static constexpr Duration kDemotedDelay = std::chrono::milliseconds(1000);
    /// How far everything else is put behind what the caller prefers.
    static constexpr Duration kPreferredLead = std::chrono::seconds(3);
    /// Between two addresses of one rung.
    static constexpr Duration kAttemptStagger = std::chrono::milliseconds(250);
    /// How long an answer to `knock` may take.
    static constexpr Duration kKnockTimeout = std::chrono::seconds(3);
    /// Addresses of one name that are tried.
    static constexpr std::size_t kAddressesMax = 8;

    static std::unique_ptr<Dialer> create(Loop& loop, std::shared_ptr<net::Network> network,
                                          std::shared_ptr<const tls::TlsContext> tls, Log log);
    virtual ~Dialer() = default;

    /// Resolves the address and races what it finds: QUIC, and a little later TLS over TCP, each
    /// with the same verification; the first whose handshake proves the node wins and the others
    /// are taken back. No failure ends a dial before everything was tried: until a key is proven,
    /// refusals, resets and alerts can come from anybody on the way. Errors:
    /// kAlpnInvalid, kShuttingDown, kCancelled; kUsage without any transport, or for a weaker
    /// verification than the address asks for; those of Network::resolve, quic::Endpoint::connect,
    /// Network::connect_tcp, net::connect_through and tls::connect_tls: with several attempts, the
    /// one that says most.
    virtual task<result<std::shared_ptr<Connection>>> dial(NodeAddress address,
                                                           DialOptions options) = 0;
    /// The same, and by which rung the node was reached.
    virtual task<result<Dialled>> dial_way(NodeAddress address, DialOptions options) = 0;
    /// Whether QUIC may reach the node now, asked with one packet to each family of its addresses,
    /// which proves nothing: where it is true a dial is worth its price. False where `options` or
    /// what is remembered leave no QUIC to dial. Errors: those of `dial` before its first packet.
    virtual task<result<bool>> knock(NodeAddress address, DialOptions options) = 0;
    /// How fast `way` was while there was as much to carry as it would take (GoodputMeter).
    virtual void report(const Dialled& way, std::uint64_t bytes, Duration time) = 0;
    /// Whether the next dial will put something else before `way`: it is QUIC and much slower than
    /// TCP, or suspected to be.
    [[nodiscard]] virtual bool demoted(const Dialled& way) const = 0;
    /// For the next dials.
    virtual void set_place(DialPlace place) = 0;
    virtual void set_tls(std::shared_ptr<const tls::TlsContext> tls) = 0;
    /// Closes everything that was dialled, with code 0. Later dials fail.
    virtual task<void> shutdown() = 0;
};

}  // namespace alknet
