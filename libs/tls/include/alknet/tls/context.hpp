// TlsContext: everything that handshakes share, for QUIC and TCP, as server and as client: the node
// key as a raw public key (RFC 7250), X.509 chains chosen by SNI, priorities, ticket keys. It is
// immutable; a reload makes a new one, and sessions keep the one that they began with.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/tls/client_hello.hpp>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace alknet::tls {

/// Longest ALPN name that the TLS library carries.
inline constexpr std::size_t kAlpnBytesMax = 31;
/// Most names in one ClientHello of ours.
inline constexpr std::size_t kAlpnsOfferedMax = 8;

/// Errors: kAlpnInvalid.
result<void> check_alpn(std::string_view name);

struct CertificateFiles {
    std::filesystem::path chain;  // PEM, leaf first
    std::filesystem::path key;    // PEM
};

/// The master key that session tickets are sealed with. GnuTLS derives the working key from it and
/// the time, a new one every kTicketLifetime * 3; the master itself is replaced by a fresh random
/// one every kMasterLifetime and wiped, after which older tickets only cost a full handshake.
/// Contexts of one node key that share one accept each other's tickets. Thread-safe.
class TicketKeys {
public:
    static constexpr std::chrono::seconds kTicketLifetime = std::chrono::hours(2);
    static constexpr std::chrono::seconds kMasterLifetime = std::chrono::hours(24);

    /// Drawn from the system's random source.
    static std::shared_ptr<TicketKeys> create();
    virtual ~TicketKeys() = default;

private:
    TicketKeys() = default;
    friend class RotatingTicketKeys;
};

struct ContextOptions {
    std::shared_ptr<const NodeKey> key;
    std::vector<CertificateFiles> certificates;  // the names are read from the leaves
    /// PEM files of the authorities that VerifyCa trusts; empty: the system's. Read when first
    /// used.
    std::vector<std::filesystem::path> authorities;
    std::shared_ptr<TicketKeys> ticket_keys;  // a reload passes the old context's; null: fresh ones
};

class TlsContext {
public:
    /// Errors: kCertificateInvalid with the file, kKeyInvalid.
    static result<std::shared_ptr<const TlsContext>> create(ContextOptions options);
    virtual ~TlsContext() = default;

    [[nodiscard]] virtual const NodeKey& key() const noexcept = 0;
    /// The earliest end of validity among the certificates, seconds since 1970; nullopt if none.
    [[nodiscard]] virtual std::optional<std::int64_t> earliest_expiry() const noexcept = 0;
    [[nodiscard]] virtual const std::shared_ptr<TicketKeys>& ticket_keys() const noexcept = 0;

private:
    TlsContext() = default;
    friend class Context;
};

/// A P-256 certificate for `names` that nobody signed, valid for ten years, both files mode 0600,
/// never over existing ones. Errors: kHomeExists, kIo.
result<void> make_self_signed(const CertificateFiles& files, const std::vector<std::string>& names);

/// How the dialling side decides whom it talks to.
struct VerifyPin {
    NodeId id;  // a raw key, and this one
};
struct VerifyCa {
    std::string host;  // X.509, the system's authorities, this name
};
struct VerifyCertificate {
    std::array<std::byte, 32> sha256{};  // X.509, and the certificate whose DER has this digest
};
/// For `probe` alone: nothing may be sent to such a peer.
struct VerifyNothing {
    PeerIdentity::Kind only = PeerIdentity::Kind::none;  // the kind asked for; none: either
};
using Verify = std::variant<VerifyPin, VerifyCa, VerifyNothing, VerifyCertificate>;

/// Sessions to resume, and address tokens, keyed by everything that the handshake depends on (whom
/// it verifies, our own key, the transport, the ALPNs): a changed pin finds nothing. The peer least
/// recently dialled is forgotten first. One loop. Secrets are zeroed.
class ResumptionStore {
public:
    static constexpr std::size_t kTicketsPerPeerMax = 4;

    virtual ~ResumptionStore() = default;
    [[nodiscard]] virtual std::size_t peers() const noexcept = 0;
    virtual void clear() noexcept = 0;

private:
    ResumptionStore() = default;
    friend class LruResumptionStore;
};
std::shared_ptr<ResumptionStore> make_resumption_store(std::size_t peers_max = 256);

struct ClientOptions {
    std::shared_ptr<const TlsContext> context;  // whose raw key is offered as the client's
    std::vector<std::string> alpns;
    Verify verify;
    std::string server_name;                      // SNI; empty: none is sent
    std::shared_ptr<ResumptionStore> resumption;  // null: always a full handshake
    bool show_key = true;                         // false: the peer meets a stranger
};

}  // namespace alknet::tls
