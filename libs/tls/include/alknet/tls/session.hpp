// Session: one TLS handshake, for the transports. It owns the GnuTLS session, chooses the ALPN in
// the ClientHello hook, decides about the peer, and says afterwards what was proven. TlsStream
// moves its bytes over TCP; on QUIC ngtcp2 does, through the native handle.
//
// On QUIC: make a session, hand `native()` to ngtcp2_crypto_gnutls_configure_*_session and to
// ngtcp2_conn_set_tls_native_handle, and gnutls_session_set_ptr to ngtcp2's conn_ref. That pointer
// and the transport pointer are the transport's; the session finds itself by gnutls_db_set_ptr, and
// holds the handshake hook, the verify function and the keylog function: do not set those.
//
// A session lives on one loop. It cannot move, and no other thread may touch it.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/tls/alert.hpp>
#include <alknet/tls/client_hello.hpp>
#include <alknet/tls/context.hpp>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>

struct gnutls_session_int;

namespace alknet::tls {

enum class Carrier : std::uint8_t { quic, tcp };

/// Keying material for the protocols above (RFC 8446 section 7.5), from the exporter secret of a
/// finished TLS 1.3 handshake: it outlives the session. The secret is zeroed on destruction.
class Exporter {
public:
    static constexpr std::size_t kLabelBytesMax = 249;

    /// `secret` has 32 octets (SHA-256) or 48 (SHA-384), by the cipher suite. Errors:
    /// kNotSupported.
    static result<std::unique_ptr<const Exporter>> create(BytesView secret);
    Exporter(const Exporter&) = delete;
    Exporter& operator=(const Exporter&) = delete;
    ~Exporter();

    /// An empty context is the same as none. Errors: kNotSupported for a label over kLabelBytesMax
    /// or more than 255 hashes of output.
    result<void> export_keying_material(std::string_view label, BytesView context,
                                        MutableBytes out) const;

private:
    Exporter() = default;
    std::array<std::byte, 48> secret_{};
    std::size_t size_ = 0;
};

/// What a handshake proved.
struct Established {
    /// Everything but the addresses, `transport`, `server_side` and `quic_version`.
    ConnectionInfo info;
    std::unique_ptr<const Exporter> exporter;  // null below TLS 1.3
};

class Session {
public:
    /// `selector` must outlive the handshake. Errors: kInternal when out of memory.
    static result<std::unique_ptr<Session>> server(std::shared_ptr<const TlsContext> context,
                                                   Carrier carrier, AlpnSelector& selector);
    /// Speaks TLS 1.3 only; offers a session to resume if the store has one, and never sends early
    /// data. Errors: kAlpnInvalid; kCertificateInvalid when the authorities cannot be read.
    static result<std::unique_ptr<Session>> client(ClientOptions options, Carrier carrier);
    virtual ~Session() = default;

    [[nodiscard]] virtual gnutls_session_int* native() const noexcept = 0;

    /// To be called once, when the handshake has ended and before anything else is done with the
    /// connection. Checks the peer again where the handshake itself did not (a resumed one).
    /// Errors: kPeerKeyMismatch, kPeerUnverified, kNoCommonAlpn, kTls: then the connection must be
    /// closed with `failure_alert`.
    virtual result<Established> finish() = 0;

    /// Why the handshake failed: what the session itself found (a wrong key, no common ALPN), else
    /// the alert that the library wants to send, 0 if it named none.
    [[nodiscard]] virtual error failure(std::uint8_t alert) const = 0;
    /// The alert to send for what the session itself refused.
    [[nodiscard]] virtual std::uint8_t failure_alert() const noexcept = 0;

    /// Server, QUIC: sends one ticket, after `finish`. A client that cannot use it gets none.
    virtual void send_ticket() noexcept = 0;

    /// Client, QUIC: the address token (NEW_TOKEN) of the same peer, kept with its sessions. Each
    /// is given out once.
    [[nodiscard]] virtual Bytes take_address_token() = 0;
    virtual void keep_address_token(BytesView token) = 0;
};

}  // namespace alknet::tls
