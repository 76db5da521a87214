#include "session_impl.hpp"

#include <gnutls/crypto.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/mutation.hpp>

namespace alknet::tls {

namespace {

constexpr std::string_view kTraceLabel = "EXPORTER-alknet-trace";
constexpr std::size_t kTraceBytes = 8;

}  // namespace

bool is_web_alpn(std::string_view alpn) noexcept {
    return alpn == "http/1.1" || alpn == "h2";
}

result<void> SessionBase::open(unsigned flags, gnutls_priority_t priority,
                               gnutls_certificate_credentials_t credentials) {
    // Both certificate type extensions are on or both off: see the priorities.
    flags |= GNUTLS_ENABLE_RAWPK | GNUTLS_NO_SIGNAL;
    flags |= carrier_ == Carrier::quic ? GNUTLS_NO_END_OF_EARLY_DATA : GNUTLS_NONBLOCK;
    gnutls_session_t native = nullptr;
    int code = gnutls_init(&native, flags);
    native_.reset(code == 0 ? native : nullptr);
    if (code == 0) {
        code = gnutls_priority_set(native, priority);
    }
    if (code == 0) {
        code = gnutls_credentials_set(native, GNUTLS_CRD_CERTIFICATE, credentials);
    }
    if (code != 0) {
        return fail(causes::kInternal, "TLS session: " + reason(code));
    }
    gnutls_db_set_ptr(native, this);
    gnutls_session_set_verify_function(native, on_verify);
    gnutls_session_set_keylog_function(native, on_secret);
    return {};
}

std::unexpected<error> SessionBase::refuse(error why, std::uint8_t alert) {
    if (!refused_) {
        refused_ = why;
        refused_alert_ = alert;
    }
    return std::unexpected(std::move(why));
}

std::unexpected<error> SessionBase::refuse_tls(std::string why, std::uint8_t alert) {
    return refuse(error(causes::kTls, std::move(why), alert), alert);
}

error SessionBase::failure(std::uint8_t alert) const {
    if (refused_) {
        return *refused_;
    }
    return alert == 0 ? error(causes::kTls, "the handshake failed without an alert")
                      : alert_error(alert, AlertFrom::us);
}

std::optional<std::uint8_t> SessionBase::alert_for(int code) const noexcept {
    if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        return std::nullopt;
    }
    int level = 0;
    return refused_ ? refused_alert_
                    : static_cast<std::uint8_t>(gnutls_error_to_alert(code, &level));
}

error SessionBase::failure_of(int code) const {
    if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        return alert_error(static_cast<std::uint8_t>(gnutls_alert_get(native_.get())),
                           AlertFrom::peer);
    }
    if (refused_) {
        return *refused_;
    }
    const std::uint8_t alert = alert_for(code).value_or(kAlertInternalError);
    std::string detail = reason(code);
    detail += " (";
    detail += alert_error(alert, AlertFrom::us).detail();
    detail += ')';
    return error(causes::kTls, std::move(detail), alert);
}

int SessionBase::on_verify(gnutls_session_t native) noexcept {
    auto& self = session_of<SessionBase>(native);
    try {
        result<PeerIdentity> peer = self.check_peer();
        if (!peer) {
            return GNUTLS_E_CERTIFICATE_ERROR;
        }
        self.checked_ = std::move(*peer);
        return 0;
    } catch (...) {
        (void)self.refuse(error(causes::kInternal, "verifying the peer threw"),
                          kAlertInternalError);
        return GNUTLS_E_INTERNAL_ERROR;
    }
}

int SessionBase::on_secret(gnutls_session_t native, const char* label,
                           const gnutls_datum_t* secret) noexcept {
    if (std::string_view(label) != "EXPORTER_SECRET") {
        return 0;
    }
    try {
        auto exporter = Exporter::create(view_octets(secret->data, secret->size));
        if (!exporter) {
            return -1;
        }
        session_of<SessionBase>(native).exporter_ = std::move(*exporter);
        return 0;
    } catch (...) {
        return -1;
    }
}

result<PeerIdentity> SessionBase::read_peer() {
    PeerIdentity peer;
    unsigned count = 0;
    const gnutls_datum_t* const list = gnutls_certificate_get_peers(native_.get(), &count);
    if (list == nullptr || count == 0) {
        return peer;
    }
    const BytesView der = view_octets(list[0].data, list[0].size);
    if (gnutls_certificate_type_get2(native_.get(), GNUTLS_CTYPE_PEERS) == GNUTLS_CRT_RAWPK) {
        result<NodeId> key = NodeId::from_spki(der);
        if (!key) {
            return refuse(error(causes::kPeerUnverified, "its raw key is not an Ed25519 key"),
                          kAlertBadCertificate);
        }
        peer.kind = PeerIdentity::Kind::raw_key;
        peer.key = *key;
        return peer;
    }
    peer.kind = PeerIdentity::Kind::x509;
    gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data(), der.size(), peer.certificate_sha256.data());
    peer.certificate = std::make_shared<const Bytes>(to_bytes(der));
    return peer;
}

result<void> SessionBase::check_version(std::string_view alpn) {
    const bool tls13 = gnutls_protocol_get_version(native_.get()) == GNUTLS_TLS1_3;
    if (tls13 ? exporter_ == nullptr : carrier_ == Carrier::quic || !is_web_alpn(alpn)) {
        return refuse_tls("the handshake ended in a state that it must not", kAlertInternalError);
    }
    return {};
}

std::string SessionBase::trace_id() const {
    std::array<std::byte, kTraceBytes> id{};
    const result<void> exported = exporter_ != nullptr
                                      ? exporter_->export_keying_material(kTraceLabel, {}, id)
                                      : export_live(kTraceLabel, {}, id);
    return exported ? hex_encode(id) : std::string();
}

result<Established> SessionBase::finish() {
    ALKNET_ASSERT(!finished_);
    ALKNET_TRY(std::string alpn, check_alpn_answer());
    ALKNET_CHECK(check_version(alpn));
    if (!checked_ && ALKNET_MUTATION(trust_resumed_session)) {
        ALKNET_TRY(checked_, read_peer());
    }
    if (!checked_) {  // a resumed handshake, or a peer without a certificate
        ALKNET_TRY(checked_, check_peer());
    }
    finished_ = true;
    Established established;
    ConnectionInfo& info = established.info;
    info.alpn = std::move(alpn);
    info.peer = *checked_;
    info.peer.resumed = gnutls_session_is_resumed(native_.get()) != 0;
    info.server_name = server_name();
    info.tls_version = gnutls_protocol_get_name(gnutls_protocol_get_version(native_.get()));
    info.cipher = gnutls_cipher_get_name(gnutls_cipher_get(native_.get()));
    info.trace_id = trace_id();
    established.exporter = std::move(exporter_);
    return established;
}

result<void> SessionBase::export_live(std::string_view label, BytesView context,
                                      MutableBytes out) const {
    if (gnutls_session_ext_master_secret_status(native_.get()) == 0) {
        return fail(causes::kNotSupported, "keying material without extended master secret");
    }
    const char* const context_data =
        context.empty() ? nullptr : reinterpret_cast<const char*>(context.data());
    const int code =
        gnutls_prf_rfc5705(native_.get(), label.size(), label.data(), context.size(), context_data,
                           out.size(), reinterpret_cast<char*>(out.data()));
    if (code != 0) {
        return fail(causes::kNotSupported, reason(code));
    }
    return {};
}

result<std::unique_ptr<Session>> Session::server(std::shared_ptr<const TlsContext> context,
                                                 Carrier carrier, AlpnSelector& selector) {
    return make_server_session(std::move(context), carrier, selector);
}

result<std::unique_ptr<Session>> Session::client(ClientOptions options, Carrier carrier) {
    return make_client_session(std::move(options), carrier);
}

}  // namespace alknet::tls
