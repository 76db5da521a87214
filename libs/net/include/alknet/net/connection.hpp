// Connection: what a handler is given. One interface for QUIC, TLS over TCP and any other duplex
// byte stream; the latter carry exactly one BiStream, which accept_bi (or open_bi, on the side that
// dialled) yields once. It lives on one loop; every member is for that thread.
//
// The interface stands in this low room so that each transport implements it directly.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace alknet {

enum class Transport : std::uint8_t { quic, tcp, iroh, local, memory };
[[nodiscard]] std::string_view to_string(Transport transport) noexcept;

/// Application close codes; a handler whose protocol has its own uses those.
namespace close_code {
inline constexpr std::uint64_t kOk = 0;
inline constexpr std::uint64_t kNoHandler = 1;
inline constexpr std::uint64_t kAuthRequired = 2;
inline constexpr std::uint64_t kForbidden = 3;
inline constexpr std::uint64_t kLimit = 4;
inline constexpr std::uint64_t kProtocol = 5;
inline constexpr std::uint64_t kInternal = 6;
inline constexpr std::uint64_t kShutdown = 7;
inline constexpr std::uint64_t kTimeout = 8;
}  // namespace close_code

/// The default table, from the portable condition.
[[nodiscard]] std::uint64_t default_close_code(errc condition) noexcept;

/// What TLS proved about the other side. Nothing here says what it may do.
struct PeerIdentity {
    enum class Kind : std::uint8_t { none, raw_key, x509 };
    Kind kind = Kind::none;
    NodeId key;                                      // raw_key
    std::array<std::byte, 32> certificate_sha256{};  // x509: digest of the DER
    std::shared_ptr<const Bytes> certificate;        // x509: the leaf, DER
    bool verified_by_ca = false;                     // x509, on the dialling side
    bool resumed = false;                            // proven in an earlier handshake

    /// `ed25519:<hex>`, `x509-sha256:<hex>`, or empty.
    [[nodiscard]] std::string fingerprint() const;
};

/// What is known when the handshake has ended; it does not change, except for the addresses when a
/// QUIC connection migrates (ask `remote()` for the present one).
namespace net {
struct ProxyHeader;
}  // namespace net

struct ConnectionInfo {
    std::string alpn;
    Transport transport = Transport::memory;
    bool server_side = false;
    PeerIdentity peer;
    SocketAddress local;
    SocketAddress remote;
    std::string server_name;   // SNI as the client sent it; empty if none
    std::string tls_version;   // "TLS1.3"; empty without TLS
    std::string cipher;        // "AES-128-GCM"
    std::string quic_version;  // "v1", "v2"; empty on others
    std::string trace_id;      // 16 hex digits, the same on both ends (from the exporter)
    /// On a TCP server: HTTP/3 is served on the same port.
    bool http3_beside = false;
    /// What the trusted proxy said that the connection came through; null without one.
    std::shared_ptr<const net::ProxyHeader> proxy;
};

struct ConnectionStats {
    std::uint64_t bytes_sent = 0;  // of streams and datagrams, without overhead
    std::uint64_t bytes_received = 0;
    std::uint64_t packets_sent = 0;
    std::uint64_t packets_lost = 0;
    Duration smoothed_rtt{};
    std::uint64_t buffered_bytes = 0;  // held for this connection now, both directions
    std::uint64_t streams_open = 0;
    std::uint64_t streams_total = 0;
};

class Connection {
public:
    virtual ~Connection() = default;

    /// Errors of all four: kClosed (with the close code), kReset, kIdleTimeout, kCancelled;
    /// kNotSupported for what the transport does not have. open_* wait for stream credit.
    virtual task<result<std::unique_ptr<BiStream>>> accept_bi() = 0;
    virtual task<result<std::unique_ptr<BiStream>>> open_bi() = 0;
    virtual task<result<std::unique_ptr<RecvStream>>> accept_uni() = 0;
    virtual task<result<std::unique_ptr<SendStream>>> open_uni() = 0;

    /// Unreliable. Errors: kNotSupported, kLimit when larger than datagram_bytes_max or when the
    /// send queue is full.
    virtual result<void> send_datagram(BytesView data) = 0;
    virtual task<result<Bytes>> recv_datagram() = 0;
    /// 0 when there are none.
    [[nodiscard]] virtual std::size_t datagram_bytes_max() const noexcept = 0;

    /// Tells the peer and ends every wait on this connection. Idempotent; the first code stands.
    virtual void close(std::uint64_t code, std::string_view reason) noexcept = 0;
    /// Requested once the connection has ended, from whichever side.
    [[nodiscard]] virtual Cancel& closed() noexcept = 0;
    /// Why it ended; nullopt while it lives.
    [[nodiscard]] virtual std::optional<error> close_reason() const = 0;
    /// Waits until it has ended. Errors: kCancelled.
    virtual task<result<void>> wait_closed() = 0;

    [[nodiscard]] virtual const ConnectionInfo& info() const noexcept = 0;
    [[nodiscard]] virtual SocketAddress remote() const noexcept = 0;
    [[nodiscard]] virtual ConnectionStats stats() const noexcept = 0;

    /// RFC 8446 section 7.5. Works for the whole life of the connection. Errors: kNotSupported.
    virtual result<void> export_keying_material(std::string_view label, BytesView context,
                                                MutableBytes out) const = 0;
};

}  // namespace alknet
