// The answering side: the ClientHello hook chooses the ALPN from the selector's live registry.
//
// GnuTLS takes at most eight ALPN names, and only before the handshake. So it is given none then;
// the hook parses the ClientHello itself and adds exactly the one name that was chosen. After a
// HelloRetryRequest the hook runs again, and GnuTLS appends: the name is set once.

#include "session_impl.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>

namespace alknet::tls {

namespace {

/// Octets of handshake messages in all. A ClientHello with post-quantum shares has 2 000, and the
/// client's raw key is tiny.
constexpr std::size_t kHandshakeBytesMax = 32 << 10;
constexpr std::size_t kAlpnsShown = 8;

/// For logs: what the client wanted, without what could break a terminal.
std::string offer_text(const ClientHello& hello) {
    if (!hello.has_alpn) {
        return "the client offers no ALPN at all";
    }
    std::string text = "the client offers ";
    for (std::size_t i = 0; i < std::min(hello.alpns.size(), kAlpnsShown); ++i) {
        text += i == 0 ? "" : ", ";
        for (const char c : hello.alpns[i]) {
            text += c > 0x20 && c < 0x7f ? c : '?';
        }
    }
    return hello.alpns.size() > kAlpnsShown ? text + ", ..." : text;
}

class ServerSession final : public SessionBase {
public:
    ServerSession(std::shared_ptr<const TlsContext> context, Carrier carrier,
                  AlpnSelector& selector)
        : SessionBase(std::move(context), carrier), selector_(&selector) {}

    result<void> start();
    int try_send_ticket() noexcept override;

protected:
    result<PeerIdentity> check_peer() override { return read_peer(); }
    result<std::string> check_alpn_answer() override;
    [[nodiscard]] std::string_view server_name() const noexcept override { return server_name_; }

private:
    static int on_client_hello(gnutls_session_t native, unsigned type, unsigned when,
                               unsigned incoming, const gnutls_datum_t* message) noexcept;
    /// A GnuTLS code, which becomes the alert.
    int choose(BytesView message);
    int apply(const ClientHello& hello, const std::string& alpn);
    int refuse_hello(error why, int code);

    AlpnSelector* selector_;  // null after the handshake
    std::optional<std::string> alpn_;
    std::string server_name_;
    bool send_ticket_ = false;
};

result<void> ServerSession::start() {
    ALKNET_CHECK(open(GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET | GNUTLS_NO_TICKETS_TLS12,
                      context().server_priority(carrier_), context().server_credentials("")));
    gnutls_handshake_set_hook_function(native(), GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE,
                                       on_client_hello);
    gnutls_handshake_set_max_packet_length(native(), kHandshakeBytesMax);
    gnutls_certificate_server_set_request(native(), GNUTLS_CERT_IGNORE);
    gnutls_db_set_cache_expiration(native(), static_cast<int>(TicketKeys::kTicketLifetime.count()));
    const auto master = context().ticket_master();
    const gnutls_datum_t key = datum_of(master->view());
    const int code = gnutls_session_ticket_enable_server(native(), &key);
    return code == 0 ? result<void>() : fail(causes::kInternal, "tickets: " + reason(code));
}

int ServerSession::on_client_hello(gnutls_session_t native, unsigned type, unsigned,
                                   unsigned incoming, const gnutls_datum_t* message) noexcept {
    if (type != GNUTLS_HANDSHAKE_CLIENT_HELLO || incoming == 0) {
        return 0;
    }
    auto& self = session_of<ServerSession>(native);
    try {
        return self.choose(view_octets(message->data, message->size));
    } catch (...) {
        return self.refuse_hello(error(causes::kInternal, "choosing the ALPN threw"),
                                 GNUTLS_E_INTERNAL_ERROR);
    }
}

int ServerSession::refuse_hello(error why, int code) {
    int level = 0;
    (void)refuse(std::move(why), static_cast<std::uint8_t>(gnutls_error_to_alert(code, &level)));
    return code;
}

int ServerSession::choose(BytesView message) {
    result<ClientHello> hello = parse_client_hello(message);
    if (!hello) {
        return refuse_hello(std::move(hello).error(), GNUTLS_E_UNEXPECTED_PACKET_LENGTH);
    }
    if (selector_ == nullptr) {
        return refuse_hello(error(causes::kProtocol, "a second handshake on one connection"),
                            GNUTLS_E_UNEXPECTED_PACKET);
    }
    const bool may_choose = hello->has_alpn || carrier_ == Carrier::tcp;
    const std::string alpn = may_choose ? selector_->select_alpn(*hello) : std::string();
    if (alpn.empty()) {
        return refuse_hello(
            error(causes::kNoCommonAlpn, offer_text(*hello), kAlertNoApplicationProtocol),
            GNUTLS_E_NO_APPLICATION_PROTOCOL);
    }
    const bool offered = std::ranges::find(hello->alpns, alpn) != hello->alpns.end();
    const bool unanswered = carrier_ == Carrier::tcp && alpn == kUnansweredAlpn;
    if (hello->has_alpn && !offered && !unanswered) {
        return refuse_hello(error(causes::kInternal, "the chosen ALPN was not offered: " + alpn),
                            GNUTLS_E_INTERNAL_ERROR);
    }
    if (!hello->tls13 && (carrier_ == Carrier::quic || !is_web_alpn(alpn))) {
        return refuse_hello(error(causes::kTls, alpn + " needs TLS 1.3, which the client lacks"),
                            GNUTLS_E_UNSUPPORTED_VERSION_PACKET);
    }
    if (alpn_ && (*alpn_ != alpn || server_name_ != hello->server_name)) {
        return refuse_hello(error(causes::kProtocol,
                                  "the second ClientHello asks for another "
                                  "service or name than the first"),
                            GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER);
    }
    return alpn_ ? 0 : apply(*hello, alpn);
}

int ServerSession::apply(const ClientHello& hello, const std::string& alpn) {
    alpn_ = alpn;
    server_name_ = hello.server_name;
    send_ticket_ = hello.tls13 && hello.can_resume;
    if (hello.raw_key_client && hello.tls13) {
        // Asked, not demanded: whether a service wants to know its peer is decided above TLS.
        gnutls_certificate_server_set_request(native(), GNUTLS_CERT_REQUEST);
    }
    const int code = gnutls_credentials_set(native(), GNUTLS_CRD_CERTIFICATE,
                                            context().server_credentials(server_name_));
    if (code != 0 || std::ranges::find(hello.alpns, alpn) == hello.alpns.end()) {
        return code;
    }
    const gnutls_datum_t name = datum_of(as_bytes(alpn));
    return gnutls_alpn_set_protocols(native(), &name, 1, GNUTLS_ALPN_MANDATORY);
}

result<std::string> ServerSession::check_alpn_answer() {
    selector_ = nullptr;
    if (!alpn_) {
        return refuse_tls("the handshake ended without a ClientHello", kAlertInternalError);
    }
    return *alpn_;
}

int ServerSession::try_send_ticket() noexcept {
    if (!send_ticket_) {
        return 0;
    }
    const int code = gnutls_session_ticket_send(native(), 1, 0);
    send_ticket_ = code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
    return code;
}

}  // namespace

result<std::unique_ptr<SessionBase>> make_server_session(std::shared_ptr<const TlsContext> context,
                                                         Carrier carrier, AlpnSelector& selector) {
    auto session = std::make_unique<ServerSession>(std::move(context), carrier, selector);
    ALKNET_CHECK(session->start());
    return session;
}

}  // namespace alknet::tls
