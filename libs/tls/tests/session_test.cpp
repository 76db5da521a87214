// Sessions as QUIC drives them: handshake messages by encryption level, no records, and the
// session pointer in the transport's hands.

#include "session_impl.hpp"
#include "tls_fixture.hpp"

#include <deque>

namespace alknet::tls {
namespace {

using testing::HasSubstr;

/// Stands in for ngtcp2.
class QuicEnd {
public:
    explicit QuicEnd(std::unique_ptr<Session> owned) : session(std::move(owned)) {
        gnutls_session_t native = session->native();
        gnutls_session_set_ptr(native, this);
        gnutls_handshake_set_read_function(native, [](gnutls_session_t s, auto level, auto type,
                                                      const void* data, std::size_t size) {
            if (type != GNUTLS_HANDSHAKE_CHANGE_CIPHER_SPEC) {
                const auto* const bytes = static_cast<const std::byte*>(data);
                self(s).out.push_back({level, Bytes(bytes, bytes + size)});
            }
            return 0;
        });
        gnutls_handshake_set_secret_function(native, [](gnutls_session_t, auto, const void*,
                                                        const void*, std::size_t) { return 0; });
        gnutls_alert_set_read_function(native, [](gnutls_session_t s, auto, auto, auto alert) {
            self(s).alert = static_cast<std::uint8_t>(alert);
            return 0;
        });
    }
    static QuicEnd& self(gnutls_session_t native) {
        return *static_cast<QuicEnd*>(gnutls_session_get_ptr(native));
    }

    /// Goes on with the handshake; false once it has failed.
    bool step() {
        if (!done && alert == 0) {
            const int code = gnutls_handshake(session->native());
            done = code == 0;
            fail_if_fatal(code);
        }
        return alert == 0;
    }
    /// Takes what the other end has sent.
    bool take(QuicEnd& from) {
        while (!from.out.empty() && alert == 0) {
            const auto [level, data] = std::move(from.out.front());
            from.out.pop_front();
            fail_if_fatal(
                gnutls_handshake_write(session->native(), level, data.data(), data.size()));
            step();
        }
        return alert == 0;
    }

    std::unique_ptr<Session> session;
    std::deque<std::pair<gnutls_record_encryption_level_t, Bytes>> out;
    bool done = false;
    std::uint8_t alert = 0;

private:
    void fail_if_fatal(int code) {
        if (code < 0 && gnutls_error_is_fatal(code) != 0) {
            gnutls_alert_send_appropriate(session->native(), code);
        }
    }
};

class SessionTest : public TlsTest {
public:
    std::unique_ptr<QuicEnd> make_server() {
        return std::make_unique<QuicEnd>(
            Session::server(server_context, Carrier::quic, services).value());
    }
    std::unique_ptr<QuicEnd> make_client(ClientOptions options) {
        options.resumption = store;
        return std::make_unique<QuicEnd>(
            Session::client(std::move(options), Carrier::quic).value());
    }
    static bool shake(QuicEnd& server, QuicEnd& client) {
        client.step();
        while (!client.out.empty() || !server.out.empty()) {
            if (!server.take(client) || !client.take(server)) {
                return false;
            }
        }
        return server.done && client.done;
    }

    std::shared_ptr<ResumptionStore> store = make_resumption_store();
};

TEST_F(SessionTest, QuicEndsMeetAndResume) {
    for (const bool resumed : {false, true}) {
        const auto server = make_server();
        const auto client = make_client(dial());
        ASSERT_TRUE(shake(*server, *client));
        const auto at_client = client->session->finish();
        const auto at_server = server->session->finish();
        ASSERT_TRUE(at_client) << at_client.error().message();
        ASSERT_TRUE(at_server) << at_server.error().message();
        EXPECT_EQ(at_server->info.alpn, "alknet/echo");
        EXPECT_EQ(at_server->info.peer.key, client_key->id());
        EXPECT_EQ(at_client->info.peer.key, server_key->id());
        EXPECT_EQ(at_server->info.peer.resumed, resumed);
        EXPECT_EQ(at_client->info.peer.resumed, resumed);
        EXPECT_EQ(at_server->info.trace_id, at_client->info.trace_id);
        server->session->send_ticket();
        EXPECT_EQ(server->out.size(), 1U);
        EXPECT_TRUE(client->take(*server));
    }
    EXPECT_EQ(store->peers(), 1U);
}

TEST_F(SessionTest, ServersNeverAcceptNorOfferEarlyData) {
    const auto server = make_server();
    const auto client = make_client(dial());
    ASSERT_TRUE(shake(*server, *client));
    ASSERT_TRUE(client->session->finish());
    ASSERT_TRUE(server->session->finish());
    server->session->send_ticket();
    ASSERT_EQ(server->out.size(), 1U);
    // A NewSessionTicket without extensions ends in two zero octets; early_data would be one.
    const Bytes& ticket = server->out.front().second;
    EXPECT_EQ(ticket[ticket.size() - 1], std::byte{0});
    EXPECT_EQ(ticket[ticket.size() - 2], std::byte{0});
}

TEST_F(SessionTest, TheExporterOutlivesTheSession) {
    auto server = make_server();
    auto client = make_client(dial());
    ASSERT_TRUE(shake(*server, *client));
    const auto at_client = client->session->finish();
    const auto at_server = server->session->finish();
    server.reset();
    client.reset();
    std::array<std::byte, 32> one{};
    std::array<std::byte, 32> two{};
    ASSERT_TRUE(at_client->exporter->export_keying_material("EXPORTER-x", {}, one));
    ASSERT_TRUE(at_server->exporter->export_keying_material("EXPORTER-x", {}, two));
    EXPECT_EQ(one, two);
}

TEST_F(SessionTest, NoCommonAlpnIsAnAlertAndAReason) {
    const auto server = make_server();
    const auto client = make_client(dial({"alknet/other"}));
    EXPECT_FALSE(shake(*server, *client));
    EXPECT_EQ(server->alert, kAlertNoApplicationProtocol);
    EXPECT_EQ(server->session->failure_alert(), kAlertNoApplicationProtocol);
    EXPECT_TRUE(server->session->failure(server->alert).is(causes::kNoCommonAlpn));
}

TEST_F(SessionTest, AWrongPinIsAnAlertAndAReason) {
    const auto server = make_server();
    const auto client = make_client(dial(VerifyPin{NodeKey::generate()->id()}));
    EXPECT_FALSE(shake(*server, *client));
    EXPECT_EQ(client->alert, kAlertBadCertificate);
    EXPECT_TRUE(client->session->failure(client->alert).is(causes::kPeerKeyMismatch));
}

TEST_F(SessionTest, AFailureThatTheSessionDidNotFindIsTheLibrarysAlert) {
    const auto server = make_server();
    EXPECT_TRUE(server->session->failure(40).is(causes::kTls));
    EXPECT_THAT(server->session->failure(40).detail(), HasSubstr("handshake_failure"));
    EXPECT_TRUE(server->session->failure(0).is(causes::kTls));
}

/// A client of a resumed session whose pin is another by now.
TEST_F(SessionTest, AResumedHandshakeWithTheWrongKeyFailsAtItsEnd) {
    {
        const auto server = make_server();
        const auto client = make_client(dial());
        ASSERT_TRUE(shake(*server, *client));
        ASSERT_TRUE(client->session->finish());
        ASSERT_TRUE(server->session->finish());
        server->session->send_ticket();
        ASSERT_TRUE(client->take(*server));
    }
    const ClientOptions other = dial(VerifyPin{NodeKey::generate()->id()});
    auto& lru = static_cast<LruResumptionStore&>(*store);
    const crypto::SecretBytes ticket = lru.take_ticket(resumption_key(dial(), Carrier::quic));
    ASSERT_NE(ticket.size(), 0U);
    lru.keep_ticket(resumption_key(other, Carrier::quic), ticket.view());

    const auto server = make_server();
    const auto client = make_client(other);
    ASSERT_TRUE(shake(*server, *client)) << "GnuTLS itself is content";
    const auto finished = client->session->finish();
    ASSERT_FALSE(finished);
    EXPECT_TRUE(finished.error().is(causes::kPeerKeyMismatch));
    EXPECT_EQ(client->session->failure_alert(), kAlertBadCertificate);
}

TEST_F(SessionTest, QuicRefusesAClientWithoutAlpnWhateverTheSelectorSays) {
    services.without_alpn = "http/1.1";
    services.names = {"http/1.1"};
    const auto server = make_server();
    std::string hello("\x03\x03", 2);
    hello.append(32, 'r');
    hello += std::string("\0\0\2\x13\1\1\0", 7);
    const std::string extensions("\0\x2b\0\3\2\3\4", 7);  // supported_versions
    hello += std::string("\0\7", 2) + extensions;
    std::string message("\1\0\0", 3);
    message += static_cast<char>(hello.size());
    message += hello;
    gnutls_handshake_write(server->session->native(), GNUTLS_ENCRYPTION_LEVEL_INITIAL,
                           message.data(), message.size());
    EXPECT_FALSE(server->step());
    EXPECT_EQ(server->alert, kAlertNoApplicationProtocol);
    EXPECT_EQ(services.asked, 0);
}

TEST_F(SessionTest, AddressTokensAreKeptWithTheSessions) {
    const auto client = make_client(dial());
    client->session->keep_address_token(as_bytes("token"));
    EXPECT_TRUE(make_client(dial({"other"}))->session->take_address_token().empty());
    EXPECT_EQ(as_text(make_client(dial())->session->take_address_token()), "token");
    EXPECT_TRUE(make_client(dial())->session->take_address_token().empty());
    const auto server = make_server();
    server->session->keep_address_token(as_bytes("token"));
    EXPECT_TRUE(server->session->take_address_token().empty());
}

TEST(ExporterTest, TakesSecretsOfTheTwoHashesOnly) {
    EXPECT_TRUE(Exporter::create(Bytes(32)));
    EXPECT_TRUE(Exporter::create(Bytes(48)));
    for (const std::size_t size : {0UL, 31UL, 64UL}) {
        EXPECT_TRUE(Exporter::create(Bytes(size)).error().is(causes::kNotSupported));
    }
}

}  // namespace
}  // namespace alknet::tls
