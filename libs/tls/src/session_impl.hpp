// The sessions behind tls::Session, and what TlsStream needs of them beyond it.
#pragma once

#include "context_impl.hpp"
#include "handles.hpp"
#include "resumption.hpp"

#include <alknet/tls/session.hpp>
#include <exception>
#include <string>

namespace alknet::tls {

/// HTTP, whose clients may be old: TLS 1.2, and connections cut without close_notify.
[[nodiscard]] bool is_web_alpn(std::string_view alpn) noexcept;

class SessionBase : public Session {
public:
    SessionBase(const SessionBase&) = delete;
    SessionBase& operator=(const SessionBase&) = delete;

    [[nodiscard]] gnutls_session_int* native() const noexcept override { return native_.get(); }
    result<Established> finish() override;
    [[nodiscard]] error failure(std::uint8_t alert) const override;
    [[nodiscard]] std::uint8_t failure_alert() const noexcept override { return refused_alert_; }
    void send_ticket() noexcept override { (void)try_send_ticket(); }
    [[nodiscard]] Bytes take_address_token() override { return {}; }
    void keep_address_token(BytesView) override {}

    /// Sends one ticket where that makes sense. Gives GnuTLS' code; GNUTLS_E_AGAIN: once more.
    virtual int try_send_ticket() noexcept { return 0; }
    /// The error for a fatal code of any GnuTLS call on the session.
    [[nodiscard]] error failure_of(int code) const;
    /// The alert to send for it; nullopt when the peer sent one.
    [[nodiscard]] std::optional<std::uint8_t> alert_for(int code) const noexcept;
    [[nodiscard]] bool refused() const noexcept { return refused_.has_value(); }
    /// RFC 5705 on a live session below TLS 1.3. Errors: kNotSupported without RFC 7627.
    result<void> export_live(std::string_view label, BytesView context, MutableBytes out) const;

protected:
    SessionBase(std::shared_ptr<const TlsContext> context, Carrier carrier)
        : context_(std::move(context)), carrier_(carrier) {}

    result<void> open(unsigned flags, gnutls_priority_t priority,
                      gnutls_certificate_credentials_t credentials);

    /// Decides about the peer, from what the handshake proved or a resumed one remembers.
    virtual result<PeerIdentity> check_peer() = 0;
    virtual result<std::string> check_alpn_answer() = 0;
    [[nodiscard]] virtual std::string_view server_name() const noexcept = 0;

    /// Keeps the first refusal for `failure`, and gives it back as a result.
    std::unexpected<error> refuse(error why, std::uint8_t alert);
    std::unexpected<error> refuse_tls(std::string why, std::uint8_t alert);
    [[nodiscard]] result<PeerIdentity> read_peer();
    [[nodiscard]] const Context& context() const noexcept { return Context::of(*context_); }

    std::shared_ptr<const TlsContext> context_;
    Carrier carrier_;
    std::optional<error> refused_;
    std::uint8_t refused_alert_ = kAlertInternalError;
    bool finished_ = false;
    NativeSession native_;  // last: goes before what its callbacks use

private:
    static int on_verify(gnutls_session_t native) noexcept;
    static int on_secret(gnutls_session_t native, const char* label,
                         const gnutls_datum_t* secret) noexcept;
    result<void> check_version(std::string_view alpn);
    [[nodiscard]] std::string trace_id() const;

    std::optional<PeerIdentity> checked_;  // the verify function has run, and agreed
    std::unique_ptr<const Exporter> exporter_;
};

/// GnuTLS' callbacks carry no state of ours but this (see session.hpp).
template <class T>
T& session_of(gnutls_session_t native) noexcept {
    return *static_cast<T*>(static_cast<SessionBase*>(gnutls_db_get_ptr(native)));
}

/// What the store is keyed by: all that a resumed handshake takes on trust from an earlier one.
[[nodiscard]] std::string resumption_key(const ClientOptions& options, Carrier carrier);

result<std::unique_ptr<SessionBase>> make_server_session(std::shared_ptr<const TlsContext> context,
                                                         Carrier carrier, AlpnSelector& selector);
result<std::unique_ptr<SessionBase>> make_client_session(ClientOptions options, Carrier carrier);

}  // namespace alknet::tls
