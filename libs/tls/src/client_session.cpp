// The asking side: what is offered, who is believed, and which earlier session is resumed.

#include "session_impl.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/mutation.hpp>

namespace alknet::tls {

namespace {

/// Octets of handshake messages in all: room for long certificate chains.
constexpr std::size_t kHandshakeBytesMax = 128 << 10;

template <class... Functions>
struct Overload : Functions... {
    using Functions::operator()...;
};

Ask ask_for(const Verify& verify) noexcept {
    return std::visit(Overload{[](const VerifyPin&) { return Ask::raw_key; },
                               [](const VerifyCa&) { return Ask::x509; },
                               [](const VerifyCertificate&) { return Ask::x509; },
                               [](const VerifyNothing& nothing) {
                                   switch (nothing.only) {
                                       case PeerIdentity::Kind::raw_key:
                                           return Ask::raw_key;
                                       case PeerIdentity::Kind::x509:
                                           return Ask::x509;
                                       case PeerIdentity::Kind::none:
                                           break;
                                   }
                                   return Ask::either;
                               }},
                      verify);
}

/// Adds a field so that no two lists of fields give the same text.
void append_field(std::string& key, std::string_view field) {
    key += std::to_string(field.size());
    key += ':';
    key += field;
}

}  // namespace

std::string resumption_key(const ClientOptions& options, Carrier carrier) {
    std::string key(carrier == Carrier::quic ? "q" : "t");
    std::visit(Overload{[&](const VerifyPin& pin) {
                            key += 'k';
                            if (!ALKNET_MUTATION(trust_resumed_session)) {
                                append_field(key, as_text(pin.id.bytes()));
                            }
                        },
                        [&](const VerifyCa& ca) {
                            key += 'c';
                            append_field(key, ca.host);
                        },
                        [&](const VerifyCertificate& pin) {
                            key += 'x';
                            append_field(key, as_text(pin.sha256));
                        },
                        [](const VerifyNothing&) {}},
               options.verify);
    append_field(key, options.server_name);
    append_field(key, as_text(options.context->key().id().bytes()));
    key += options.show_key ? 'n' : 's';
    for (const std::string& alpn : options.alpns) {
        append_field(key, alpn);
    }
    return key;
}

namespace {

class ClientSession final : public SessionBase {
public:
    ClientSession(ClientOptions options, Carrier carrier)
        : SessionBase(options.context, carrier), options_(std::move(options)) {}

    result<void> start();
    [[nodiscard]] Bytes take_address_token() override;
    void keep_address_token(BytesView token) override;

protected:
    result<PeerIdentity> check_peer() override;
    result<std::string> check_alpn_answer() override;
    [[nodiscard]] std::string_view server_name() const noexcept override {
        return options_.server_name;
    }

private:
    static int on_ticket(gnutls_session_t native, unsigned type, unsigned when, unsigned incoming,
                         const gnutls_datum_t* message) noexcept;
    result<void> offer_names();
    void offer_session();
    void keep_ticket();
    result<PeerIdentity> check_pin(const VerifyPin& pin, PeerIdentity peer);
    result<PeerIdentity> check_certificate(const VerifyCertificate& pin, PeerIdentity peer);
    result<PeerIdentity> check_ca(const VerifyCa& ca, PeerIdentity peer);

    ClientOptions options_;
    LruResumptionStore* store_ = nullptr;  // options_ owns it
    std::string store_key_;
};

result<void> ClientSession::start() {
    gnutls_certificate_credentials_t credentials = context().client_credentials();
    if (std::holds_alternative<VerifyCa>(options_.verify)) {
        ALKNET_TRY(credentials, context().verifying_credentials());
    }
    // One key share, of X25519, which everybody has: GnuTLS would compute a second one of P-256.
    ALKNET_CHECK(
        open(GNUTLS_CLIENT | GNUTLS_KEY_SHARE_TOP,
             context().client_priority(carrier_, ask_for(options_.verify), options_.show_key),
             credentials));
    gnutls_handshake_set_hook_function(native(), GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
                                       GNUTLS_HOOK_POST, on_ticket);
    gnutls_handshake_set_max_packet_length(native(), kHandshakeBytesMax);
    ALKNET_CHECK(offer_names());
    if (options_.resumption != nullptr && !std::holds_alternative<VerifyNothing>(options_.verify)) {
        store_ = static_cast<LruResumptionStore*>(options_.resumption.get());
        store_key_ = resumption_key(options_, carrier_);
        offer_session();
    }
    return {};
}

result<void> ClientSession::offer_names() {
    if (options_.alpns.empty() || options_.alpns.size() > kAlpnsOfferedMax) {
        return fail(causes::kAlpnInvalid, "a handshake offers 1 to 8 names, not " +
                                              std::to_string(options_.alpns.size()));
    }
    std::array<gnutls_datum_t, kAlpnsOfferedMax> names{};
    for (std::size_t i = 0; i < options_.alpns.size(); ++i) {
        ALKNET_CHECK(check_alpn(options_.alpns[i]));
        names[i] = datum_of(as_bytes(options_.alpns[i]));
    }
    int code = gnutls_alpn_set_protocols(native(), names.data(),
                                         static_cast<unsigned>(options_.alpns.size()), 0);
    if (code == 0 && !options_.server_name.empty()) {
        code = gnutls_server_name_set(native(), GNUTLS_NAME_DNS, options_.server_name.data(),
                                      options_.server_name.size());
    }
    if (code != 0) {
        return fail(causes::kTls, options_.server_name + ": " + reason(code));
    }
    return {};
}

void ClientSession::offer_session() {
    const crypto::SecretBytes ticket = store_->take_ticket(store_key_);
    if (ticket.size() != 0) {
        // What GnuTLS cannot read only costs a full handshake.
        (void)gnutls_session_set_data(native(), ticket.view().data(), ticket.size());
    }
}

int ClientSession::on_ticket(gnutls_session_t native, unsigned, unsigned, unsigned incoming,
                             const gnutls_datum_t*) noexcept {
    auto& self = session_of<ClientSession>(native);
    if (incoming != 0 && self.finished_ && self.store_ != nullptr) {
        try {
            self.keep_ticket();
        } catch (...) {
            return 0;  // out of memory: the session lives without
        }
    }
    return 0;
}

void ClientSession::keep_ticket() {
    // Without the flag GnuTLS would give data that nothing can be resumed with.
    if ((gnutls_session_get_flags(native()) & GNUTLS_SFLAGS_SESSION_TICKET) == 0) {
        return;
    }
    Datum data;
    if (gnutls_session_get_data2(native(), data.out()) == 0) {
        store_->keep_ticket(store_key_, data.view());
    }
}

Bytes ClientSession::take_address_token() {
    return store_ == nullptr ? Bytes{} : store_->take_token(store_key_);
}

void ClientSession::keep_address_token(BytesView token) {
    if (store_ != nullptr) {
        store_->keep_token(store_key_, token);
    }
}

result<std::string> ClientSession::check_alpn_answer() {
    gnutls_datum_t name{};
    const int code = gnutls_alpn_get_selected_protocol(native(), &name);
    const std::string_view answer =
        code == 0 ? as_text(view_octets(name.data, name.size)) : std::string_view();
    if (std::ranges::find(options_.alpns, answer) == options_.alpns.end()) {
        return refuse(error(causes::kNoCommonAlpn, "the peer chose none of the names offered",
                            kAlertNoApplicationProtocol),
                      kAlertNoApplicationProtocol);
    }
    return std::string(answer);
}

result<PeerIdentity> ClientSession::check_peer() {
    ALKNET_TRY(PeerIdentity peer, read_peer());
    if (const auto* const pin = std::get_if<VerifyPin>(&options_.verify)) {
        return check_pin(*pin, std::move(peer));
    }
    if (const auto* const ca = std::get_if<VerifyCa>(&options_.verify)) {
        return check_ca(*ca, std::move(peer));
    }
    if (const auto* const pin = std::get_if<VerifyCertificate>(&options_.verify)) {
        return check_certificate(*pin, std::move(peer));
    }
    return peer;
}

result<PeerIdentity> ClientSession::check_pin(const VerifyPin& pin, PeerIdentity peer) {
    if (peer.kind == PeerIdentity::Kind::raw_key && peer.key == pin.id) {
        return peer;
    }
    const std::string found =
        peer.kind == PeerIdentity::Kind::none ? "it proved no key" : "it is " + peer.fingerprint();
    // A node that has been asked for its raw key alone shows no certificate. Over TCP there are
    // filters that do.
    const bool opened = carrier_ == Carrier::tcp && peer.kind == PeerIdentity::Kind::x509;
    return refuse(error(opened ? causes::kTlsOpened : causes::kPeerKeyMismatch,
                        "expected " + pin.id.fingerprint() + ", " + found, kAlertBadCertificate),
                  kAlertBadCertificate);
}

result<PeerIdentity> ClientSession::check_certificate(const VerifyCertificate& pin,
                                                      PeerIdentity peer) {
    if (peer.kind == PeerIdentity::Kind::x509 && peer.certificate_sha256 == pin.sha256) {
        return peer;
    }
    PeerIdentity expected;
    expected.kind = PeerIdentity::Kind::x509;
    expected.certificate_sha256 = pin.sha256;
    const std::string found =
        peer.kind == PeerIdentity::Kind::none ? "it proved no key" : "it is " + peer.fingerprint();
    return refuse(error(causes::kPeerKeyMismatch,
                        "expected " + expected.fingerprint() + ", " + found, kAlertBadCertificate),
                  kAlertBadCertificate);
}

result<PeerIdentity> ClientSession::check_ca(const VerifyCa& ca, PeerIdentity peer) {
    std::string why;
    unsigned status = 0;
    if (peer.kind != PeerIdentity::Kind::x509) {
        why = "it has no X.509 certificate";
    } else if (const int code =
                   gnutls_certificate_verify_peers3(native(), ca.host.c_str(), &status);
               code != 0) {
        why = reason(code);
    } else if (status != 0) {
        Datum text;
        if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, text.out(), 0) ==
            0) {
            why = as_text(text.view());
            why.erase(why.find_last_not_of(std::string_view(" .\0", 3)) + 1);
        }
    } else {
        peer.verified_by_ca = true;
        return peer;
    }
    return refuse(error(causes::kPeerUnverified, ca.host + ": " + why, kAlertBadCertificate),
                  kAlertBadCertificate);
}

}  // namespace

result<std::unique_ptr<SessionBase>> make_client_session(ClientOptions options, Carrier carrier) {
    auto session = std::make_unique<ClientSession>(std::move(options), carrier);
    ALKNET_CHECK(session->start());
    return session;
}

}  // namespace alknet::tls
