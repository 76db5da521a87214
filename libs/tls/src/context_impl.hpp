// The one implementation of TlsContext, as sessions see it.
#pragma once

#include "handles.hpp"
#include "ticket_keys.hpp"

#include <alknet/tls/context.hpp>
#include <alknet/tls/session.hpp>
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::tls {

/// Which kind of server key a client asks for.
enum class Ask : std::uint8_t { raw_key, x509, either };

class Context final : public TlsContext {
public:
    static result<std::shared_ptr<const Context>> create(ContextOptions options);
    /// TlsContext can only be a Context.
    static const Context& of(const TlsContext& context) noexcept {
        return static_cast<const Context&>(context);
    }

    [[nodiscard]] const NodeKey& key() const noexcept override { return *options_.key; }
    [[nodiscard]] std::optional<std::int64_t> earliest_expiry() const noexcept override {
        return earliest_expiry_;
    }
    [[nodiscard]] const std::shared_ptr<TicketKeys>& ticket_keys() const noexcept override {
        return options_.ticket_keys;
    }

    /// The node key, and the chains for this server name: those that list it, else those with a
    /// wildcard that covers it, else all. GnuTLS chooses among them by what the client can verify.
    [[nodiscard]] gnutls_certificate_credentials_t server_credentials(
        std::string_view server_name) const;
    /// The node key alone, so that no chain is ever offered as a client's.
    [[nodiscard]] gnutls_certificate_credentials_t client_credentials() const noexcept {
        return client_.get();
    }
    /// The same with the authorities, which are read at the first call. Thread-safe.
    /// Errors: kCertificateInvalid.
    result<gnutls_certificate_credentials_t> verifying_credentials() const;

    [[nodiscard]] gnutls_priority_t server_priority(Carrier carrier) const noexcept;
    [[nodiscard]] gnutls_priority_t client_priority(Carrier carrier, Ask ask,
                                                    bool show_key) const noexcept;
    /// For a session that begins now.
    [[nodiscard]] std::shared_ptr<const crypto::SecretBytes> ticket_master() const;

private:
    Context() = default;
    result<void> load();
    struct Chain;
    result<Chain> read_chain(const CertificateFiles& files) const;
    result<Credentials> server_credentials_of(const std::vector<const Chain*>& chains) const;
    result<void> load_chains();
    result<void> load_authorities(gnutls_certificate_credentials_t credentials) const;
    result<Credentials> key_credentials() const;

    ContextOptions options_;
    Credentials server_;                                               // with all chains
    std::vector<Credentials> named_;                                   // with some
    std::map<std::string, gnutls_certificate_credentials_t> by_name_;  // in lower case
    Credentials client_;
    std::array<Priority, 2> server_priorities_;   // by Carrier
    std::array<Priority, 12> client_priorities_;  // by Carrier, Ask, and whether the key is shown
    std::optional<std::int64_t> earliest_expiry_;

    mutable std::mutex verifying_mutex_;
    mutable Credentials verifying_;
    mutable std::mutex ticket_mutex_;
    mutable std::shared_ptr<const crypto::SecretBytes> ticket_shared_;  // what the own is made of
    mutable std::shared_ptr<const crypto::SecretBytes> ticket_own_;
};

/// The node key as a GnuTLS key pair in `credentials`. GnuTLS never sees the seed: it asks `key` to
/// sign, which must therefore live as long as the credentials. Errors: kKeyInvalid.
result<void> add_node_key(gnutls_certificate_credentials_t credentials, const NodeKey& key);

/// A whole file of at most kFileBytesMax. Errors: kCertificateInvalid with the path.
inline constexpr std::size_t kFileBytesMax = 4 << 20;
result<crypto::SecretBytes> read_pem(const std::filesystem::path& file);

}  // namespace alknet::tls
