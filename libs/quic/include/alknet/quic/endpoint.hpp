// quic::Endpoint: QUIC v1 and v2 (RFC 9000, 9001, 9369) on one UDP socket, as server and client.
// It owns the socket, the table of connection ids, Retry and tokens, stateless reset, and the
// batching of packets (GSO, GRO); ngtcp2 runs the protocol. One loop.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/net/network.hpp>
#include <alknet/quic/steering.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/tls/context.hpp>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alknet::quic {

enum class Congestion : std::uint8_t { bbr, cubic };
enum class Version : std::uint8_t { v1, v2 };

/// Limits and timers of one connection. Sizes in octets.
struct TransportOptions {
    Congestion congestion = Congestion::bbr;
    /// What may be spoken, the preferred one first. A client begins with v1 if it may; a server
    /// moves on to the first of its list that the client offers (RFC 9368 section 2.3).
    std::vector<Version> versions = {Version::v1, Version::v2};
    Duration handshake_timeout = std::chrono::seconds(10);
    Duration idle_timeout = std::chrono::seconds(60);
    /// How long a path may be silent; zero: for ever. Where it is one link (both addresses on one
    /// machine, or in one /24 or /64) half of the shorter idle timeout is enough, and elsewhere no
    /// more than that is waited either.
    Duration keep_alive{};
    std::uint64_t streams_bidi_max = 100;
    std::uint64_t streams_uni_max = 100;
    std::uint64_t stream_window_bytes = 256 << 10;  // where it starts; it grows with use
    std::uint64_t stream_window_bytes_max = 6 << 20;
    std::uint64_t connection_window_bytes = 1 << 20;
    /// Also the most that all send buffers hold: twice this in all, besides streams that stand
    /// alone.
    std::uint64_t connection_window_bytes_max = 16 << 20;
    /// Per stream: a writer waits while so many wait for their first packet. What is in flight is
    /// held until it is acknowledged, and bounded by congestion control and the line above.
    std::uint64_t unsent_bytes_max = 1 << 20;
    std::size_t datagram_queue_max = 64;  // received or sent and not yet taken
    std::size_t udp_payload_bytes_max = 1452;
    bool offer_datagrams = true;
    std::filesystem::path qlog_directory;  // empty: no qlog
};

/// The secrets that must survive a restart and be the same on all loops. Zeroed by their owner.
struct EndpointSecrets {
    std::array<std::byte, 32> token{};  // Retry and NEW_TOKEN
    std::array<std::byte, 32> stateless_reset{};
};

/// The decision before any cryptography is spent (asked again after a Retry round trip).
enum class Admission : std::uint8_t { accept, retry, refuse, ignore };

struct Incoming {
    SocketAddress remote;
    SocketAddress local;
    bool validated = false;     // the address was proven by a token
    std::size_t half_open = 0;  // handshakes in progress on this endpoint
};

/// What the server side asks of its owner. Called on the loop; must outlive the endpoint.
class ServerPolicy : public tls::AlpnSelector {
public:
    [[nodiscard]] virtual Admission admit(const Incoming& incoming) = 0;
    /// A handshake that was admitted has ended, well or with the reason why not; balances `admit`'s
    /// accounting. Comes once for each `Admission::accept`, before `accept` gives the connection.
    virtual void handshake_ended(const Incoming& incoming, const result<void>& outcome) = 0;
    /// The context for the next handshake.
    [[nodiscard]] virtual std::shared_ptr<const tls::TlsContext> tls_context() = 0;
    /// The limits and timers of the next connection, which replace those of the endpoint.
    [[nodiscard]] virtual TransportOptions transport_options() = 0;

protected:
    ~ServerPolicy() = default;
};

struct EndpointOptions {
    TransportOptions transport;
    EndpointSecrets secrets;
    ServerPolicy* server = nullptr;  // null: only dials
    /// Bounds that hold whatever the policy says; what comes above them is dropped unseen.
    std::size_t connections_max = 20'000;
    std::size_t half_open_max = 2'000;
    /// Connection ids are drawn so that their last octet is `loop_index` modulo `loop_count`.
    std::uint32_t loop_index = 0;
    std::uint32_t loop_count = 1;
    /// Of `loop_count` loops; null: what comes in is for this one.
    std::shared_ptr<Steering> steering;
    Log log;
};

struct ConnectOptions {
    SocketAddress remote;
    tls::ClientOptions tls;
    std::optional<TransportOptions> transport;  // else the endpoint's
};

/// A QUIC connection: alknet::Connection and what only QUIC has.
class Connection : public alknet::Connection {
public:
    /// RFC 9001 section 6. Errors: kLimit when the last one is too fresh.
    virtual result<void> initiate_key_update() = 0;
    /// Goes on from another local socket (client side): RFC 9000 section 9. The socket's packets
    /// then reach this connection's endpoint. Errors: kLimit (no spare connection ids), kClosed.
    virtual result<void> migrate(std::unique_ptr<net::UdpSocket> socket) = 0;
    /// Changes what the peer may use from now on (after it has authenticated, or has not).
    virtual void set_stream_limits(std::uint64_t bidi, std::uint64_t uni) = 0;
    /// How far the receive windows may grow from now on (what was granted stays granted), and how
    /// much all send buffers may hold together: `connection_bytes` each.
    virtual void set_window_limits(std::uint64_t connection_bytes, std::uint64_t stream_bytes) = 0;
};

struct EndpointStats {
    std::uint64_t connections = 0;
    std::uint64_t half_open = 0;
    std::uint64_t datagrams_received = 0;
    std::uint64_t datagrams_dropped = 0;  // undecodable, unknown, refused
    std::uint64_t retries_sent = 0;
    std::uint64_t version_negotiations_sent = 0;
    std::uint64_t stateless_resets_sent = 0;
    std::uint64_t datagrams_handed_on = 0;  // to the loop that they are for
};

class Endpoint {
public:
    static result<std::unique_ptr<Endpoint>> create(Loop& loop,
                                                    std::unique_ptr<net::UdpSocket> socket,
                                                    EndpointOptions options);
    /// Silently drops what was not closed by `shutdown`.
    virtual ~Endpoint() = default;

    /// The next connection whose handshake has ended. Errors: kCancelled, kShuttingDown.
    virtual task<result<std::shared_ptr<Connection>>> accept() = 0;

    /// Errors: kHandshakeTimeout, kNoCommonAlpn, kPeerKeyMismatch, kPeerUnverified, kTls,
    /// kVersionMismatch, kUnreachable, kCancelled.
    virtual task<result<std::shared_ptr<Connection>>> connect(ConnectOptions options) = 0;

    /// From now on new connections are refused and `accept` fails.
    virtual void stop_accepting() noexcept = 0;
    /// Closes all connections with `code` and waits until they have drained (three PTO, 5 s at
    /// most).
    virtual task<void> shutdown(std::uint64_t code, std::string reason) = 0;

    [[nodiscard]] virtual SocketAddress local_address() const noexcept = 0;
    [[nodiscard]] virtual EndpointStats stats() const noexcept = 0;
};

/// A fresh pair, from the system's random source.
[[nodiscard]] EndpointSecrets make_secrets();

}  // namespace alknet::quic
