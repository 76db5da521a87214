// TlsContext: everything that handshakes share, for QUIC and TCP, as server and as client: the node
// key as a raw public key (RFC 7250), X.509 chains chosen by SNI, priorities, ticket keys. It is
// immutable; a reload makes a new one, and sessions keep the one that they began with.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/tls/client_hello.hpp>
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

struct ContextOptions {
    std::shared_ptr<const NodeKey> key;
    std::vector<CertificateFiles> certificates;  // the names are read from the leaves
};

class TlsContext {
public:
    /// Errors: kCertificateInvalid with the file, kKeyInvalid.
    static result<std::shared_ptr<const TlsContext>> create(ContextOptions options);
    virtual ~TlsContext() = default;

    [[nodiscard]] virtual const NodeKey& key() const noexcept = 0;
    /// The earliest end of validity among the certificates, seconds since 1970; nullopt if none.
    [[nodiscard]] virtual std::optional<std::int64_t> earliest_expiry() const noexcept = 0;
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
struct VerifyNothing {};  // for `probe` alone: nothing may be sent to such a peer
using Verify = std::variant<VerifyPin, VerifyCa, VerifyNothing>;

/// Sessions to resume, keyed by (peer, ALPN): a changed pin finds nothing. Bounded.
class ResumptionStore;
std::shared_ptr<ResumptionStore> make_resumption_store(std::size_t entries_max = 256);

struct ClientOptions {
    std::shared_ptr<const TlsContext> context;  // whose raw key is offered as the client's
    std::vector<std::string> alpns;
    Verify verify;
    std::string server_name;                      // SNI; empty: none is sent
    std::shared_ptr<ResumptionStore> resumption;  // null: always a full handshake
};

}  // namespace alknet::tls
