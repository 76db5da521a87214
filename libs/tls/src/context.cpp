#include "context_impl.hpp"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/unique_fd.hpp>
#include <cerrno>
#include <limits>
#include <set>
#include <span>
#include <string>

namespace alknet::tls {

namespace {

constexpr std::string_view kModern =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
    "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1";
// TLS 1.2 for old web clients, with forward secrecy and AEAD only. That the ALPN is one of the web
// is checked in the ClientHello hook.
constexpr std::string_view kWithTls12 =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD:"
    "-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
    "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1";
// RFC 9001 section 8.4: no compatibility mode on QUIC.
constexpr std::string_view kNoCompatibilityMode = "%DISABLE_TLS13_COMPAT_MODE:";
// A server takes both kinds; with one of the two missing GnuTLS ends handshakes that offer it.
constexpr std::string_view kServerTypes = ":+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK";
constexpr std::string_view kClientKey = ":+CTYPE-CLI-RAWPK";

constexpr std::array kCarriers = {Carrier::quic, Carrier::tcp};
constexpr std::array kAsks = {Ask::raw_key, Ask::x509, Ask::either};

constexpr std::size_t index_of(Carrier carrier, Ask ask, bool show_key) noexcept {
    const std::size_t pair =
        static_cast<std::size_t>(carrier) * kAsks.size() + static_cast<std::size_t>(ask);
    return 2 * pair + (show_key ? 1 : 0);
}

std::string_view server_types(Ask ask) noexcept {
    switch (ask) {
        case Ask::raw_key:
            return ":-CTYPE-ALL:+CTYPE-SRV-RAWPK";
        case Ask::x509:
            return ":-CTYPE-ALL:+CTYPE-SRV-X509";
        case Ask::either:
            return ":-CTYPE-ALL:+CTYPE-SRV-RAWPK:+CTYPE-SRV-X509";
    }
    return {};
}

result<Priority> make_priority(Carrier carrier, std::string_view algorithms,
                               std::string_view types) {
    std::string text(carrier == Carrier::quic ? kNoCompatibilityMode : std::string_view());
    text += algorithms;
    text += types;
    gnutls_priority_t priority = nullptr;
    const int code = gnutls_priority_init(&priority, text.c_str(), nullptr);
    if (code != 0) {
        return fail(causes::kInternal, "TLS priorities: " + reason(code));
    }
    return Priority(priority);
}

result<Credentials> make_credentials() {
    gnutls_certificate_credentials_t credentials = nullptr;
    if (const int code = gnutls_certificate_allocate_credentials(&credentials); code != 0) {
        return fail(causes::kInternal, reason(code));
    }
    return Credentials(credentials);
}

/// Without the final zero octet, which GnuTLS wants to stand behind it.
gnutls_datum_t pem_datum(const crypto::SecretBytes& pem) noexcept {
    return datum_of(pem.view().first(pem.size() - 1));
}

std::unexpected<error> unusable(const std::filesystem::path& file, std::string_view why) {
    return fail(causes::kCertificateInvalid, file.string() + ": " + std::string(why));
}

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower_case(std::string_view text) {
    std::string lowered(text);
    std::ranges::transform(lowered, lowered.begin(), lower);
    return lowered;
}

/// The DNS names that a certificate is for, in lower case, wildcards included.
std::set<std::string> names_of(gnutls_x509_crt_t leaf) {
    std::set<std::string> names;
    std::array<char, 512> name{};
    for (unsigned i = 0;; ++i) {
        std::size_t size = name.size();
        const int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name.data(), &size, nullptr);
        if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER) {
            return names;  // the end, or a malformed list
        }
        if (type == GNUTLS_SAN_DNSNAME) {
            names.insert(lower_case({name.data(), size}));
        }
    }
}

}  // namespace

struct Context::Chain {
    const CertificateFiles* files = nullptr;
    crypto::SecretBytes certificates;  // PEM with a final zero octet
    crypto::SecretBytes key;           // likewise
    std::set<std::string> names;
    std::int64_t expiry = 0;  // the earliest in the chain
};

result<void> check_alpn(std::string_view name) {
    if (name.empty() || name.size() > kAlpnBytesMax) {
        return fail(causes::kAlpnInvalid, "a name of " + std::to_string(name.size()) + " octets");
    }
    return {};
}

bool read_whole(int fd, std::span<std::byte> into) {
    while (!into.empty()) {
        // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): who waits needs what is read
        const ssize_t got = ::read(fd, into.data(), into.size());
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        into = into.subspan(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    return true;
}

result<crypto::SecretBytes> read_pem(const std::filesystem::path& file) {
    // Whoever waits for a writer of a pipe waits for ever.
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        return unusable(file, "it cannot be opened");
    }
    if (!S_ISREG(status.st_mode)) {
        return unusable(file, "it is not a regular file");
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size > kFileBytesMax) {
        return unusable(file, "it is larger than any certificate file");
    }
    // GnuTLS wants PEM text that ends in a zero octet.
    crypto::SecretBytes text(size + 1);
    if (!read_whole(fd.get(), text.span().first(size))) {
        return unusable(file, "it cannot be read");
    }
    text.span().back() = std::byte{0};
    return text;
}

result<std::shared_ptr<const Context>> Context::create(ContextOptions options) {
    if (options.key == nullptr) {
        return fail(causes::kKeyInvalid, "there is none");
    }
    if (options.ticket_keys == nullptr) {
        options.ticket_keys = TicketKeys::create();
    }
    std::shared_ptr<Context> context(new Context);
    context->options_ = std::move(options);
    ALKNET_CHECK(context->load());
    return context;
}

result<std::shared_ptr<const TlsContext>> TlsContext::create(ContextOptions options) {
    return Context::create(std::move(options));
}

result<Credentials> Context::key_credentials() const {
    ALKNET_TRY(Credentials credentials, make_credentials());
    ALKNET_CHECK(add_node_key(credentials.get(), *options_.key));
    return credentials;
}

result<void> Context::load() {
    ALKNET_TRY(client_, key_credentials());
    ALKNET_CHECK(load_chains());
    for (const Carrier carrier : kCarriers) {
        ALKNET_TRY(
            server_priorities_[static_cast<std::size_t>(carrier)],
            make_priority(carrier, carrier == Carrier::quic ? kModern : kWithTls12, kServerTypes));
        for (const Ask ask : kAsks) {
            const std::string types(server_types(ask));
            ALKNET_TRY(client_priorities_[index_of(carrier, ask, false)],
                       make_priority(carrier, kModern, types));
            ALKNET_TRY(client_priorities_[index_of(carrier, ask, true)],
                       make_priority(carrier, kModern, types + std::string(kClientKey)));
        }
    }
    return {};
}

result<Context::Chain> Context::read_chain(const CertificateFiles& files) const {
    Chain chain;
    chain.files = &files;
    ALKNET_TRY(chain.certificates, read_pem(files.chain));
    ALKNET_TRY(chain.key, read_pem(files.key));
    const gnutls_datum_t pem = pem_datum(chain.certificates);
    gnutls_x509_crt_t* list = nullptr;
    unsigned count = 0;
    const int code = gnutls_x509_crt_list_import2(&list, &count, &pem, GNUTLS_X509_FMT_PEM, 0);
    if (code < 0) {
        return unusable(files.chain, reason(code));
    }
    chain.expiry = std::numeric_limits<std::int64_t>::max();
    for (unsigned i = 0; i < count; ++i) {
        const X509Certificate certificate(list[i]);
        if (i == 0) {
            chain.names = names_of(certificate.get());
        }
        chain.expiry = std::min<std::int64_t>(
            chain.expiry, gnutls_x509_crt_get_expiration_time(certificate.get()));
    }
    gnutls_free(list);
    return chain;
}

result<Credentials> Context::server_credentials_of(const std::vector<const Chain*>& chains) const {
    ALKNET_TRY(Credentials credentials, key_credentials());
    for (const Chain* const chain : chains) {
        const gnutls_datum_t certificates = pem_datum(chain->certificates);
        const gnutls_datum_t key = pem_datum(chain->key);
        const int code = gnutls_certificate_set_x509_key_mem2(
            credentials.get(), &certificates, &key, GNUTLS_X509_FMT_PEM, nullptr, 0);
        if (code < 0) {
            return unusable(chain->files->key, reason(code));
        }
    }
    return credentials;
}

/// GnuTLS compares server names letter for letter and knows no wildcards, so each set of chains
/// that shares a name gets credentials of its own.
result<void> Context::load_chains() {
    std::vector<Chain> chains;
    std::vector<const Chain*> all;
    std::map<std::string, std::vector<const Chain*>> chains_of_name;
    chains.reserve(options_.certificates.size());
    for (const CertificateFiles& files : options_.certificates) {
        ALKNET_TRY(Chain read, read_chain(files));
        const Chain& chain = chains.emplace_back(std::move(read));
        all.push_back(&chain);
        earliest_expiry_ = std::min(earliest_expiry_.value_or(chain.expiry), chain.expiry);
        for (const std::string& name : chain.names) {
            chains_of_name[name].push_back(&chain);
        }
    }
    ALKNET_TRY(server_, server_credentials_of(all));
    std::map<std::vector<const Chain*>, gnutls_certificate_credentials_t> made = {
        {all, server_.get()}};
    for (const auto& [name, sharing] : chains_of_name) {
        gnutls_certificate_credentials_t& credentials = made[sharing];
        if (credentials == nullptr) {
            ALKNET_TRY(Credentials fresh, server_credentials_of(sharing));
            credentials = named_.emplace_back(std::move(fresh)).get();
        }
        by_name_.emplace(name, credentials);
    }
    return {};
}

gnutls_certificate_credentials_t Context::server_credentials(std::string_view server_name) const {
    const std::string name = lower_case(server_name);
    auto found = by_name_.find(name);
    if (const std::size_t dot = name.find('.'); found == by_name_.end() && dot != name.npos) {
        found = by_name_.find("*" + name.substr(dot));
    }
    return found == by_name_.end() ? server_.get() : found->second;
}

result<void> Context::load_authorities(gnutls_certificate_credentials_t credentials) const {
    if (options_.authorities.empty()) {
        const int code = gnutls_certificate_set_x509_system_trust(credentials);
        if (code <= 0) {
            return fail(causes::kCertificateInvalid,
                        "this system has no certificate authorities (package ca-certificates)");
        }
        return {};
    }
    for (const std::filesystem::path& file : options_.authorities) {
        ALKNET_TRY(const crypto::SecretBytes pem, read_pem(file));
        const gnutls_datum_t datum = pem_datum(pem);
        const int code =
            gnutls_certificate_set_x509_trust_mem(credentials, &datum, GNUTLS_X509_FMT_PEM);
        if (code <= 0) {
            return unusable(file, code == 0 ? "it holds no certificate" : reason(code));
        }
    }
    return {};
}

result<gnutls_certificate_credentials_t> Context::verifying_credentials() const {
    const std::scoped_lock lock(verifying_mutex_);
    if (verifying_ == nullptr) {
        ALKNET_TRY(Credentials credentials, key_credentials());
        ALKNET_CHECK(load_authorities(credentials.get()));
        verifying_ = std::move(credentials);
    }
    return verifying_.get();
}

gnutls_priority_t Context::server_priority(Carrier carrier) const noexcept {
    return server_priorities_[static_cast<std::size_t>(carrier)].get();
}

gnutls_priority_t Context::client_priority(Carrier carrier, Ask ask, bool show_key) const noexcept {
    return client_priorities_[index_of(carrier, ask, show_key)].get();
}

std::shared_ptr<const crypto::SecretBytes> Context::ticket_master() const {
    const auto shared = static_cast<RotatingTicketKeys&>(*options_.ticket_keys).master();
    const std::scoped_lock lock(ticket_mutex_);
    if (shared == ticket_shared_) {
        return ticket_own_;  // to lock memory for it costs more than all the rest of a session
    }
    // Bound to the node key: whoever resumes has met the holder of this one.
    const gnutls_datum_t key = datum_of(shared->view());
    const gnutls_datum_t info = datum_of(options_.key->id().bytes());
    crypto::SecretBytes own(RotatingTicketKeys::kMasterBytes);
    ALKNET_ASSERT(
        gnutls_hkdf_expand(GNUTLS_MAC_SHA512, &key, &info, own.span().data(), own.size()) == 0);
    ticket_own_ = std::make_shared<const crypto::SecretBytes>(std::move(own));
    ticket_shared_ = shared;
    return ticket_own_;
}

}  // namespace alknet::tls
