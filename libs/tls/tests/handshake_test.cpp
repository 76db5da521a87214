// Who meets whom over TLS on a stream: kinds of key, pins, ALPN names, versions.

#include "certificates.hpp"
#include "foreign.hpp"
#include "session_impl.hpp"
#include "tls_fixture.hpp"

#include <stdexcept>

namespace alknet::tls {
namespace {

using testing::HasSubstr;

constexpr const char* kRawKeys =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-ALL:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK";
constexpr const char* kBothRawFirst =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-ALL:+CTYPE-SRV-RAWPK:+CTYPE-SRV-X509:"
    "+CTYPE-CLI-RAWPK:+CTYPE-CLI-X509";
constexpr const char* kBothX509First =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-ALL:+CTYPE-SRV-X509:+CTYPE-SRV-RAWPK:"
    "+CTYPE-CLI-X509:+CTYPE-CLI-RAWPK";
constexpr const char* kTls12Only = "NORMAL:-VERS-ALL:+VERS-TLS1.2";

struct ForeignHandshake {
    result<Tls> server = fail(causes::kInternal, "did not end");
    std::unique_ptr<ForeignClient> client;
    int code = GNUTLS_E_INTERNAL_ERROR;
    result<std::string> read = fail(causes::kInternal, "not read");
};

task<void> foreign_handshake(ForeignHandshake& outcome) {
    outcome.code = co_await outcome.client->handshake();
    if (outcome.code == 0) {
        // A refusal of the server's may come after the client's end of the handshake.
        outcome.read = co_await outcome.client->read();
    }
}

class HandshakeTest : public TlsTest {
protected:
    task<void> shake_foreign(ForeignOptions options, ForeignHandshake& outcome) {
        auto [a, b] = net::make_memory_streams();
        outcome.client = std::make_unique<ForeignClient>(std::move(b), options);
        TaskScope scope(loop);
        scope.spawn(accept_and_greet(std::move(a), outcome.server), "server");
        scope.spawn(foreign_handshake(outcome), "client");
        (void)co_await scope.join();
    }
    task<void> accept_and_greet(std::unique_ptr<ByteStream> lower, result<Tls>& server) {
        server = co_await accept_tls(loop, std::move(lower), server_context, services);
        if (server) {
            (void)co_await (*server)->write(as_bytes("hello"));
        }
    }
    ForeignHandshake foreign(const ForeignOptions& options) {
        ForeignHandshake outcome;
        run(shake_foreign(options, outcome));
        return outcome;
    }
    /// A server with the node key and one chain for node.example.
    void serve_x509(const LeafOptions& leaf = {}) {
        server_context = context(server_key, {authority.issue(dir, "node", leaf)});
    }
    void trust_authority() {
        client_context = context(client_key, {}, {dir.write("ca.pem", authority.pem())});
    }

    TempDir dir;
    Authority authority{"test authority"};
};

TEST_F(HandshakeTest, AClientThatShowsNoKeyIsAStranger) {
    ClientOptions options = dial();
    options.show_key = false;
    const Handshake both = handshake(options);
    ASSERT_TRUE(both.both()) << both.why();
    EXPECT_EQ((*both.server)->info().peer.kind, PeerIdentity::Kind::none);
    EXPECT_EQ((*both.client)->info().peer.key, server_context->key().id());
    EXPECT_NE(resumption_key(options, Carrier::tcp), resumption_key(dial(), Carrier::tcp));
}

TEST_F(HandshakeTest, TwoRawKeysMeetAndKnowEachOther) {
    const Handshake both = handshake(dial());
    ASSERT_TRUE(both.both()) << both.why();
    const ConnectionInfo& server = (*both.server)->info();
    const ConnectionInfo& client = (*both.client)->info();
    EXPECT_EQ(server.alpn, "alknet/echo");
    EXPECT_EQ(client.alpn, "alknet/echo");
    EXPECT_EQ(server.peer.kind, PeerIdentity::Kind::raw_key);
    EXPECT_EQ(server.peer.key, client_context->key().id());
    EXPECT_EQ(client.peer.key, server_context->key().id());
    EXPECT_EQ(server.tls_version, "TLS1.3");
    EXPECT_EQ(server.cipher, "AES-128-GCM");
    EXPECT_FALSE(server.peer.resumed);
    EXPECT_EQ(server.trace_id.size(), 16U);
    EXPECT_EQ(server.trace_id, client.trace_id);
    EXPECT_EQ(services.asked, 1);
}

// --- pins

TEST_F(HandshakeTest, AWrongPinIsRefusedByTheClient) {
    const NodeId other = NodeKey::generate()->id();
    const Handshake both = handshake(dial(VerifyPin{other}));
    ASSERT_FALSE(both.client);
    EXPECT_TRUE(both.client.error().is(causes::kPeerKeyMismatch));
    EXPECT_THAT(both.client.error().detail(), HasSubstr(other.fingerprint()));
    EXPECT_THAT(both.client.error().detail(), HasSubstr(server_key->id().fingerprint()));
    ASSERT_FALSE(both.server);
    EXPECT_TRUE(both.server.error().is(causes::kTls));
    EXPECT_THAT(both.server.error().detail(), HasSubstr("the peer sent alert 42"));
}

TEST_F(HandshakeTest, APinIsForRawKeysOnly) {
    // The X.509 server has the pinned key too; a client that pins never asks for anything else.
    serve_x509();
    const Handshake both = handshake(dial());
    ASSERT_TRUE(both.both()) << both.why();
    EXPECT_EQ((*both.client)->info().peer.kind, PeerIdentity::Kind::raw_key);
}

TEST_F(HandshakeTest, ACertificateCanBePinnedByItsDigest) {
    serve_x509();
    const Handshake seen = handshake(dial(VerifyNothing{.only = PeerIdentity::Kind::x509}));
    ASSERT_TRUE(seen.both()) << seen.why();
    const auto digest = (*seen.client)->info().peer.certificate_sha256;
    const Handshake both = handshake(dial(VerifyCertificate{digest}));
    ASSERT_TRUE(both.both()) << both.why();
    EXPECT_EQ((*both.client)->info().peer.certificate_sha256, digest);
    EXPECT_FALSE((*both.client)->info().peer.verified_by_ca);
    serve_x509();  // another one for the same name
    trust_authority();
    const Handshake other = handshake(dial(VerifyCertificate{digest}));
    ASSERT_FALSE(other.client);
    EXPECT_TRUE(other.client.error().is(causes::kPeerKeyMismatch));
    EXPECT_THAT(other.client.error().detail(),
                HasSubstr((*seen.client)->info().peer.fingerprint()));
    server_context = context(server_key);  // a raw key alone
    EXPECT_FALSE(handshake(dial(VerifyCertificate{digest})).client);
}

// --- ALPN

TEST_F(HandshakeTest, NoCommonAlpnIsAlert120OnBothSides) {
    const Handshake both = handshake(dial({"alknet/other", "h2"}));
    ASSERT_FALSE(both.client);
    EXPECT_TRUE(both.client.error().is(causes::kNoCommonAlpn));
    EXPECT_THAT(both.client.error().detail(), HasSubstr("the peer sent alert 120"));
    ASSERT_FALSE(both.server);
    EXPECT_TRUE(both.server.error().is(causes::kNoCommonAlpn));
    EXPECT_THAT(both.server.error().detail(), HasSubstr("alknet/other, h2"));
}

TEST_F(HandshakeTest, TheClientsFirstKnownNameWins) {
    services.names = {"a", "b", "c"};
    const Handshake both = handshake(dial({"x", "c", "a"}));
    ASSERT_TRUE(both.both()) << both.why();
    EXPECT_EQ((*both.client)->info().alpn, "c");
    EXPECT_EQ((*both.server)->info().alpn, "c");
}

TEST_F(HandshakeTest, NamesOfOneAndOf31OctetsWork) {
    for (const std::string& name : {std::string("x"), std::string(kAlpnBytesMax, 'x')}) {
        services.names = {name};
        const Handshake both = handshake(dial({name}));
        ASSERT_TRUE(both.both()) << both.why();
        EXPECT_EQ((*both.server)->info().alpn, name);
    }
}

TEST_F(HandshakeTest, NamesThatCannotBeOfferedAreRefusedBeforeAnythingIsSent) {
    const std::vector<std::vector<std::string>> offers = {
        {}, {""}, {std::string(kAlpnBytesMax + 1, 'x')}, std::vector<std::string>(9, "x")};
    for (const std::vector<std::string>& offer : offers) {
        const Handshake both = handshake(dial(offer));
        ASSERT_FALSE(both.client);
        EXPECT_TRUE(both.client.error().is(causes::kAlpnInvalid));
        EXPECT_TRUE(both.server.error().is(causes::kReset)) << both.why();
    }
    EXPECT_EQ(services.asked, 0);
}

TEST_F(HandshakeTest, EightNamesCanBeOfferedToARegistryOfAHundred) {
    services.names.clear();
    for (int i = 0; i < 100; ++i) {
        services.names.push_back("service/" + std::to_string(i));
    }
    const Handshake both = handshake(dial({"1", "2", "3", "4", "5", "6", "7", "service/99"}));
    ASSERT_TRUE(both.both()) << both.why();
    EXPECT_EQ((*both.server)->info().alpn, "service/99");
}

TEST_F(HandshakeTest, AClientWithoutAlpnIsRefused) {
    serve_x509();
    const ForeignHandshake outcome = foreign({.alpns = {}});
    EXPECT_EQ(outcome.code, GNUTLS_E_FATAL_ALERT_RECEIVED);
    EXPECT_EQ(outcome.client->alert(), GNUTLS_A_NO_APPLICATION_PROTOCOL);
    ASSERT_FALSE(outcome.server);
    EXPECT_TRUE(outcome.server.error().is(causes::kNoCommonAlpn));
    EXPECT_EQ(services.asked, 1);
}

TEST_F(HandshakeTest, TheSelectorMayGiveAClientWithoutAlpnAService) {
    serve_x509();
    services.without_alpn = "http/1.1";
    const ForeignHandshake outcome = foreign({.alpns = {}});
    ASSERT_TRUE(outcome.server) << outcome.server.error().message();
    EXPECT_EQ((*outcome.server)->info().alpn, "http/1.1");
    gnutls_datum_t name{};
    EXPECT_LT(gnutls_alpn_get_selected_protocol(outcome.client->native(), &name), 0);
}

TEST_F(HandshakeTest, TheSelectorMayGiveAClientThatOffersOtherNamesHttp) {
    serve_x509();
    services.otherwise = "http/1.1";
    const ForeignHandshake outcome = foreign({.alpns = {"unknown", "other"}});
    ASSERT_TRUE(outcome.server) << outcome.server.error().message();
    EXPECT_EQ((*outcome.server)->info().alpn, "http/1.1");
    gnutls_datum_t name{};
    EXPECT_LT(gnutls_alpn_get_selected_protocol(outcome.client->native(), &name), 0);
}

class WrongSelector final : public AlpnSelector {
public:
    std::string select_alpn(const ClientHello&) override {
        if (throws) {
            throw std::runtime_error("deliberate");
        }
        return "never/offered";
    }
    bool throws = false;
};

task<void> meet_wrong_selector(Loop& loop, std::shared_ptr<const TlsContext> context,
                               WrongSelector& selector, ClientOptions options, Handshake& outcome) {
    auto [a, b] = net::make_memory_streams();
    TaskScope scope(loop);
    scope.spawn(accept_into(loop, std::move(a), std::move(context), selector, outcome.server), "a");
    scope.spawn(connect_into(loop, std::move(b), std::move(options), outcome.client), "b");
    (void)co_await scope.join();
}

TEST_F(HandshakeTest, ASelectorThatMisbehavesEndsOnlyItsHandshake) {
    WrongSelector selector;
    for (const bool throws : {false, true}) {
        selector.throws = throws;
        Handshake both;
        run(meet_wrong_selector(loop, server_context, selector, dial(), both));
        ASSERT_FALSE(both.server);
        EXPECT_TRUE(both.server.error().is(causes::kInternal));
        ASSERT_FALSE(both.client);
        EXPECT_THAT(both.client.error().detail(), HasSubstr("internal_error"));
    }
}

// --- kinds of keys

TEST_F(HandshakeTest, AClientThatKnowsNoRawKeysGetsTheCertificateAndIsNotAskedForOne) {
    serve_x509();
    services.names = {"http/1.1"};
    const ForeignHandshake outcome = foreign({});
    ASSERT_TRUE(outcome.server) << outcome.server.error().message();
    EXPECT_EQ(outcome.client->peer_type(), GNUTLS_CRT_X509);
    EXPECT_EQ((*outcome.server)->info().peer.kind, PeerIdentity::Kind::none);
    EXPECT_EQ(gnutls_certificate_client_get_request_status(outcome.client->native()), 0U);
    EXPECT_EQ(outcome.read.value(), "hello");
}

TEST_F(HandshakeTest, AServerWithoutCertificatesSaysSoToThoseWhoNeedOne) {
    services.names = {"http/1.1"};
    const ForeignHandshake outcome = foreign({});
    EXPECT_EQ(outcome.code, GNUTLS_E_FATAL_ALERT_RECEIVED);
    EXPECT_EQ(outcome.client->alert(), GNUTLS_A_HANDSHAKE_FAILURE);
    ASSERT_FALSE(outcome.server);
    EXPECT_TRUE(outcome.server.error().is(causes::kTls));
}

TEST_F(HandshakeTest, AClientThatOffersBothKindsGetsItsFirst) {
    serve_x509();
    services.names = {"http/1.1"};
    const ForeignHandshake raw =
        foreign({.priority = kBothRawFirst, .flags = GNUTLS_ENABLE_RAWPK, .key = client_key});
    ASSERT_TRUE(raw.server) << raw.server.error().message();
    EXPECT_EQ(raw.client->peer_type(), GNUTLS_CRT_RAWPK);
    EXPECT_EQ((*raw.server)->info().peer.key, client_key->id());

    const ForeignHandshake x509 =
        foreign({.priority = kBothX509First, .flags = GNUTLS_ENABLE_RAWPK, .key = client_key});
    ASSERT_TRUE(x509.server) << x509.server.error().message();
    EXPECT_EQ(x509.client->peer_type(), GNUTLS_CRT_X509);
}

TEST_F(HandshakeTest, ARawKeyClientWithoutAKeyOfItsOwnIsAnonymous) {
    services.names = {"http/1.1"};
    const ForeignHandshake outcome =
        foreign({.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-ALL:+CTYPE-SRV-RAWPK:"
                             "+CTYPE-CLI-X509",
                 .flags = GNUTLS_ENABLE_RAWPK});
    ASSERT_TRUE(outcome.server) << outcome.server.error().message();
    EXPECT_EQ((*outcome.server)->info().peer.kind, PeerIdentity::Kind::none);
    EXPECT_EQ(outcome.client->peer(), as_text(server_key->id().spki()));
}

TEST_F(HandshakeTest, AForeignRawKeyClientIsKnownByItsKey) {
    services.names = {"http/1.1"};
    const ForeignHandshake outcome =
        foreign({.priority = kRawKeys, .flags = GNUTLS_ENABLE_RAWPK, .key = client_key});
    ASSERT_TRUE(outcome.server) << outcome.server.error().message();
    EXPECT_EQ((*outcome.server)->info().peer.fingerprint(), client_key->id().fingerprint());
}

// --- certificate authorities

TEST_F(HandshakeTest, AnAuthorityVerifiesANameAndTheClientStillShowsItsKey) {
    serve_x509();
    trust_authority();
    const Handshake both =
        handshake(dial(VerifyCa{"node.example"}, {"alknet/echo"}, "node.example"));
    ASSERT_TRUE(both.both()) << both.why();
    const PeerIdentity& peer = (*both.client)->info().peer;
    EXPECT_EQ(peer.kind, PeerIdentity::Kind::x509);
    EXPECT_TRUE(peer.verified_by_ca);
    EXPECT_EQ((*both.server)->info().server_name, "node.example");
    EXPECT_EQ((*both.server)->info().peer.key, client_key->id());
}

TEST_F(HandshakeTest, ACertificateForAnotherNameIsRefused) {
    serve_x509();
    trust_authority();
    const Handshake both = handshake(dial(VerifyCa{"other.example"}));
    ASSERT_FALSE(both.client);
    EXPECT_TRUE(both.client.error().is(causes::kPeerUnverified));
    EXPECT_THAT(both.client.error().detail(), HasSubstr("other.example: "));
    EXPECT_THAT(both.client.error().detail(), HasSubstr("name in the certificate does not match"));
}

TEST_F(HandshakeTest, ACertificateOfAStrangersAuthorityIsRefused) {
    serve_x509();
    client_context = context(client_key, {}, {dir.write("ca.pem", Authority("another").pem())});
    const Handshake both = handshake(dial(VerifyCa{"node.example"}));
    ASSERT_FALSE(both.client);
    EXPECT_TRUE(both.client.error().is(causes::kPeerUnverified));
    EXPECT_THAT(both.client.error().detail(), HasSubstr("issuer is unknown"));
}

TEST_F(HandshakeTest, AnExpiredCertificateIsRefused) {
    const std::time_t now = std::time(nullptr);
    serve_x509({.from = now - 7200, .until = now - 3600});
    trust_authority();
    const Handshake both = handshake(dial(VerifyCa{"node.example"}));
    ASSERT_FALSE(both.client);
    EXPECT_TRUE(both.client.error().is(causes::kPeerUnverified));
    EXPECT_THAT(both.client.error().detail(), HasSubstr("expired"));
}

TEST_F(HandshakeTest, ARawKeyIsNothingThatAnAuthorityCanVerify) {
    trust_authority();
    const Handshake both = handshake(dial(VerifyCa{"node.example"}));
    ASSERT_FALSE(both.client);
    EXPECT_TRUE(both.client.error().is(causes::kTls));  // the server has no certificate to show
    EXPECT_THAT(both.client.error().detail(), HasSubstr("handshake_failure"));
}

TEST_F(HandshakeTest, AuthoritiesThatCannotBeReadAreSaid) {
    client_context = context(client_key, {}, {dir.write("ca.pem", "no certificate")});
    const Handshake both = handshake(dial(VerifyCa{"node.example"}));
    ASSERT_FALSE(both.client);
    EXPECT_TRUE(both.client.error().is(causes::kCertificateInvalid));
    EXPECT_THAT(both.client.error().detail(), HasSubstr("ca.pem"));
}

TEST_F(HandshakeTest, AProbeSeesEitherKind) {
    serve_x509();
    for (const auto kind : {PeerIdentity::Kind::raw_key, PeerIdentity::Kind::x509}) {
        const Handshake both = handshake(dial(VerifyNothing{kind}));
        ASSERT_TRUE(both.both()) << both.why();
        EXPECT_EQ((*both.client)->info().peer.kind, kind);
        EXPECT_FALSE((*both.client)->info().peer.verified_by_ca);
    }
    const Handshake any = handshake(dial(VerifyNothing{}));
    ASSERT_TRUE(any.both()) << any.why();
    EXPECT_EQ((*any.client)->info().peer.key, server_key->id());
}

TEST_F(HandshakeTest, TheServerNameChoosesAmongChains) {
    server_context = context(
        server_key,
        {authority.issue(dir, "one", {.names = {"one.example"}}),
         authority.issue(dir, "two", {.names = {"two.example"}, .kind = KeyKind::rsa}),
         authority.issue(dir, "wild", {.names = {"*.three.example"}, .kind = KeyKind::ed25519})});
    trust_authority();
    for (const char* name : {"one.example", "two.example", "a.three.example"}) {
        const Handshake both = handshake(dial(VerifyCa{name}, {"alknet/echo"}, name));
        ASSERT_TRUE(both.both()) << name << ": " << both.why();
        EXPECT_EQ((*both.server)->info().server_name, name);
    }
    // Without a name, or with an unknown one, there is still an answer.
    EXPECT_TRUE(handshake(dial(VerifyNothing{PeerIdentity::Kind::x509})).both());
}

// --- versions and retries

TEST_F(HandshakeTest, AHelloRetryRequestAsksTheSelectorAgainAndChangesNothing) {
    services.names = {"http/1.1"};
    const ForeignHandshake outcome =
        foreign({.priority = std::string(kRawKeys) + ":-GROUP-ALL:+GROUP-SECP521R1:+GROUP-X25519",
                 .flags = GNUTLS_ENABLE_RAWPK | GNUTLS_KEY_SHARE_TOP,
                 .key = client_key});
    ASSERT_TRUE(outcome.server) << outcome.server.error().message();
    EXPECT_EQ(services.asked, 2);
    EXPECT_EQ((*outcome.server)->info().alpn, "http/1.1");
    EXPECT_EQ((*outcome.server)->info().peer.key, client_key->id());
}

class FickleSelector final : public AlpnSelector {
public:
    std::string select_alpn(const ClientHello& hello) override {
        return std::string(hello.alpns[asked++ % hello.alpns.size()]);
    }
    std::size_t asked = 0;
};

task<void> meet_fickle(Loop& loop, std::shared_ptr<const TlsContext> context,
                       ForeignOptions options, ForeignHandshake& outcome) {
    auto [a, b] = net::make_memory_streams();
    FickleSelector selector;
    outcome.client = std::make_unique<ForeignClient>(std::move(b), options);
    TaskScope scope(loop);
    scope.spawn(accept_into(loop, std::move(a), std::move(context), selector, outcome.server), "a");
    scope.spawn(foreign_handshake(outcome), "b");
    (void)co_await scope.join();
}

TEST_F(HandshakeTest, ARegistryThatChangesDuringARetryEndsTheHandshake) {
    ForeignHandshake outcome;
    run(meet_fickle(
        loop, server_context,
        {.priority = std::string(kRawKeys) + ":-GROUP-ALL:+GROUP-SECP521R1:+GROUP-X25519",
         .alpns = {"a", "b"},
         .flags = GNUTLS_ENABLE_RAWPK | GNUTLS_KEY_SHARE_TOP,
         .key = client_key},
        outcome));
    ASSERT_FALSE(outcome.server);
    EXPECT_TRUE(outcome.server.error().is(causes::kProtocol));
    EXPECT_EQ(outcome.client->alert(), GNUTLS_A_ILLEGAL_PARAMETER);
}

TEST_F(HandshakeTest, Tls12IsSpokenForTheWebOnly) {
    serve_x509();
    services.names = {"http/1.1", "h2", "alknet/echo"};
    for (const char* web : {"http/1.1", "h2"}) {
        const ForeignHandshake outcome = foreign({.priority = kTls12Only, .alpns = {web}});
        ASSERT_TRUE(outcome.server) << outcome.server.error().message();
        EXPECT_EQ((*outcome.server)->info().tls_version, "TLS1.2");
        EXPECT_EQ((*outcome.server)->info().alpn, web);
        EXPECT_EQ(outcome.read.value(), "hello");
    }
    const ForeignHandshake outcome = foreign({.priority = kTls12Only, .alpns = {"alknet/echo"}});
    ASSERT_FALSE(outcome.server);
    EXPECT_TRUE(outcome.server.error().is(causes::kTls));
    EXPECT_THAT(outcome.server.error().detail(), HasSubstr("TLS 1.3"));
    EXPECT_EQ(outcome.client->alert(), GNUTLS_A_PROTOCOL_VERSION);
}

TEST_F(HandshakeTest, Tls12HasNoWeakCiphers) {
    serve_x509();
    services.names = {"http/1.1"};
    for (const char* weak : {":-KX-ALL:+RSA", ":-CIPHER-ALL:+AES-128-CBC", ":-KX-ALL:+DHE-RSA"}) {
        const ForeignHandshake outcome = foreign({.priority = std::string(kTls12Only) + weak});
        EXPECT_FALSE(outcome.server) << weak;
    }
}

TEST_F(HandshakeTest, AClientThatSpeaksBothGets13ForEveryService) {
    serve_x509();
    services.names = {"alknet/echo"};
    const ForeignHandshake outcome = foreign(
        {.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3", .alpns = {"alknet/echo"}});
    ASSERT_TRUE(outcome.server) << outcome.server.error().message();
    EXPECT_EQ((*outcome.server)->info().tls_version, "TLS1.3");
}

// --- keying material

TEST_F(HandshakeTest, BothEndsExportTheSameKeyingMaterial) {
    const Handshake both = handshake(dial());
    ASSERT_TRUE(both.both()) << both.why();
    for (const std::size_t size : {1UL, 32UL, 48UL, 255UL * 32}) {
        Bytes ours(size);
        Bytes theirs(size);
        const BytesView about = as_bytes("about");
        ASSERT_TRUE((*both.server)->export_keying_material("EXPORTER-test", about, ours));
        ASSERT_TRUE((*both.client)->export_keying_material("EXPORTER-test", about, theirs));
        EXPECT_EQ(ours, theirs);
        ASSERT_TRUE((*both.client)->export_keying_material("EXPORTER-test", {}, theirs));
        EXPECT_NE(ours, theirs);
    }
    Bytes much(255 * 32 + 1);
    EXPECT_TRUE((*both.server)
                    ->export_keying_material("EXPORTER-test", {}, much)
                    .error()
                    .is(causes::kNotSupported));
    Bytes some(16);
    EXPECT_TRUE((*both.server)
                    ->export_keying_material(std::string(250, 'x'), {}, some)
                    .error()
                    .is(causes::kNotSupported));
    EXPECT_TRUE((*both.server)->export_keying_material(std::string(249, 'x'), {}, some));
}

TEST_F(HandshakeTest, KeyingMaterialIsWhatGnutlsDerives) {
    serve_x509();
    services.names = {"http/1.1"};
    for (const char* priority :
         {"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM",
          "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM",
          "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305", kTls12Only}) {
        const ForeignHandshake outcome = foreign({.priority = priority});
        ASSERT_TRUE(outcome.server) << outcome.server.error().message();
        for (const std::string_view context : {"", "a context"}) {
            std::string theirs(40, '\0');
            ASSERT_EQ(gnutls_prf_rfc5705(outcome.client->native(), 13, "EXPORTER-test",
                                         context.size(), context.empty() ? nullptr : context.data(),
                                         theirs.size(), theirs.data()),
                      0);
            Bytes ours(theirs.size());
            ASSERT_TRUE((*outcome.server)
                            ->export_keying_material("EXPORTER-test", as_bytes(context), ours));
            EXPECT_EQ(as_text(ours), theirs) << priority;
        }
        EXPECT_EQ((*outcome.server)->info().trace_id.size(), 16U);
    }
}

TEST_F(HandshakeTest, WithoutExtendedMasterSecretThereIsNoKeyingMaterial) {
    serve_x509();
    services.names = {"http/1.1"};
    const ForeignHandshake outcome =
        foreign({.priority = std::string("%NO_SESSION_HASH:") + kTls12Only});
    ASSERT_TRUE(outcome.server) << outcome.server.error().message();
    Bytes some(16);
    EXPECT_TRUE((*outcome.server)
                    ->export_keying_material("EXPORTER-test", {}, some)
                    .error()
                    .is(causes::kNotSupported));
    EXPECT_EQ((*outcome.server)->info().trace_id, "");
}

}  // namespace
}  // namespace alknet::tls
