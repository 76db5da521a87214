// Resumed handshakes: what they keep, and what they must not let through.

#include "resumption.hpp"
#include "certificates.hpp"
#include "foreign.hpp"
#include "session_impl.hpp"
#include "ticket_keys.hpp"
#include "tls_fixture.hpp"

namespace alknet::tls {
namespace {

using testing::HasSubstr;

class ResumptionTest : public TlsTest {
protected:
    /// A handshake, and one read by the client so that it has its ticket.
    Handshake meet(ClientOptions options) {
        options.resumption = store;
        Handshake outcome = handshake(std::move(options));
        if (outcome.both()) {
            run(exchange(**outcome.server, **outcome.client));
        }
        return outcome;
    }
    static task<void> exchange(TlsStream& server, TlsStream& client) {
        EXPECT_TRUE(co_await server.write(as_bytes("x")));
        std::array<std::byte, 8> buffer{};
        EXPECT_EQ((co_await client.read(buffer)).value(), 1U);
    }
    static bool resumed(const Handshake& both) {
        EXPECT_EQ((*both.server)->info().peer.resumed, (*both.client)->info().peer.resumed);
        return (*both.client)->info().peer.resumed;
    }

    std::shared_ptr<ResumptionStore> store = make_resumption_store();
};

TEST_F(ResumptionTest, TheSecondHandshakeIsResumedAndKnowsTheSamePeers) {
    const Handshake first = meet(dial());
    ASSERT_TRUE(first.both()) << first.why();
    EXPECT_FALSE(resumed(first));
    EXPECT_EQ(store->peers(), 1U);
    const Handshake second = meet(dial());
    ASSERT_TRUE(second.both()) << second.why();
    EXPECT_TRUE(resumed(second));
    EXPECT_EQ((*second.server)->info().peer.kind, PeerIdentity::Kind::raw_key);
    EXPECT_EQ((*second.server)->info().peer.key, client_key->id());
    EXPECT_EQ((*second.client)->info().peer.key, server_key->id());
    EXPECT_EQ((*second.client)->info().alpn, "alknet/echo");
    EXPECT_EQ((*second.client)->info().trace_id, (*second.server)->info().trace_id);
    EXPECT_NE((*second.client)->info().trace_id, (*first.client)->info().trace_id);
    EXPECT_TRUE(resumed(meet(dial())));
}

TEST_F(ResumptionTest, ATicketIsUsedOnce) {
    ASSERT_TRUE(meet(dial()).both());
    ClientOptions options = dial();
    options.resumption = store;
    const Handshake second = handshake(options);  // does not read, so gets no new ticket
    const Handshake third = handshake(options);
    EXPECT_TRUE(resumed(second));
    EXPECT_FALSE(resumed(third));
}

TEST_F(ResumptionTest, AChangedPinFindsNothingAndFails) {
    ASSERT_TRUE(meet(dial()).both());
    const Handshake second = meet(dial(VerifyPin{NodeKey::generate()->id()}));
    ASSERT_FALSE(second.client);
    EXPECT_TRUE(second.client.error().is(causes::kPeerKeyMismatch));
}

/// Moves all that is kept from one peer's place to another's, as a bug would.
void misplace(LruResumptionStore& store, std::string_view from, std::string_view to) {
    const crypto::SecretBytes ticket = store.take_ticket(from);
    ASSERT_NE(ticket.size(), 0U);
    store.keep_ticket(to, ticket.view());
}

TEST_F(ResumptionTest, APinIsCheckedAgainAfterAResumedHandshake) {
    ASSERT_TRUE(meet(dial()).both());
    const NodeId other = NodeKey::generate()->id();
    ClientOptions to_other = dial(VerifyPin{other});
    misplace(static_cast<LruResumptionStore&>(*store), resumption_key(dial(), Carrier::tcp),
             resumption_key(to_other, Carrier::tcp));
    const Handshake second = meet(to_other);
    ASSERT_FALSE(second.client);
    EXPECT_TRUE(second.client.error().is(causes::kPeerKeyMismatch));
    EXPECT_THAT(second.client.error().detail(), HasSubstr(server_key->id().fingerprint()));
    // The server was content: the handshake itself had resumed. It hears of it when it reads.
    ASSERT_TRUE(second.server) << second.why();
    EXPECT_TRUE((*second.server)->info().peer.resumed);
}

TEST_F(ResumptionTest, APinnedCertificateIsCheckedAgainAfterAResumedHandshake) {
    const TempDir dir;
    Authority authority("test authority");
    server_context = context(server_key, {authority.issue(dir, "node", {})});
    const Handshake seen = handshake(dial(VerifyNothing{.only = PeerIdentity::Kind::x509}));
    ASSERT_TRUE(seen.both()) << seen.why();
    VerifyCertificate pin{(*seen.client)->info().peer.certificate_sha256};
    const ClientOptions first = dial(pin);
    ASSERT_TRUE(meet(first).both());
    EXPECT_TRUE(resumed(meet(first)));
    pin.sha256[0] ^= std::byte{1};
    ClientOptions to_other = dial(pin);
    misplace(static_cast<LruResumptionStore&>(*store), resumption_key(first, Carrier::tcp),
             resumption_key(to_other, Carrier::tcp));
    const Handshake second = meet(to_other);
    ASSERT_FALSE(second.client);
    EXPECT_TRUE(second.client.error().is(causes::kPeerKeyMismatch));
}

TEST_F(ResumptionTest, AnAuthorityThatIsNoLongerTrustedIsNoticed) {
    const TempDir dir;
    const Authority old_authority("old");
    server_context = context(server_key, {old_authority.issue(dir, "node")});
    client_context = context(client_key, {}, {dir.write("old-ca.pem", old_authority.pem())});
    ASSERT_TRUE(meet(dial(VerifyCa{"node.example"})).both());
    const Handshake second = meet(dial(VerifyCa{"node.example"}));
    EXPECT_TRUE(resumed(second));
    EXPECT_TRUE((*second.client)->info().peer.verified_by_ca);
    EXPECT_NE((*second.client)->info().peer.certificate, nullptr);

    client_context = context(client_key, {}, {dir.write("new-ca.pem", Authority("new").pem())});
    const Handshake third = meet(dial(VerifyCa{"node.example"}));
    ASSERT_FALSE(third.client);
    EXPECT_TRUE(third.client.error().is(causes::kPeerUnverified));
}

TEST_F(ResumptionTest, ANewKeyOfOurOwnDoesNotTravelUnderTheOldOnesTickets) {
    ASSERT_TRUE(meet(dial()).both());
    client_key = NodeKey::generate();
    client_context = context(client_key);
    const Handshake second = meet(dial());
    ASSERT_TRUE(second.both()) << second.why();
    EXPECT_FALSE(resumed(second));
    EXPECT_EQ((*second.server)->info().peer.key, client_key->id());
}

TEST_F(ResumptionTest, OtherNamesAndOtherTransportsAreOtherSessions) {
    services.names = {"a", "b"};
    ASSERT_TRUE(meet(dial({"a"})).both());
    EXPECT_FALSE(resumed(meet(dial({"b"}))));
    EXPECT_TRUE(resumed(meet(dial({"a"}))));
    EXPECT_NE(resumption_key(dial({"a"}), Carrier::tcp),
              resumption_key(dial({"a"}), Carrier::quic));
    EXPECT_NE(resumption_key(dial({"a", "b"}), Carrier::tcp),
              resumption_key(dial({"a1:b"}), Carrier::tcp));
}

TEST_F(ResumptionTest, AServiceThatWasRemovedIsNotReachedByResumption) {
    ASSERT_TRUE(meet(dial()).both());
    services.names.clear();
    const Handshake second = meet(dial());
    ASSERT_FALSE(second.client);
    EXPECT_TRUE(second.client.error().is(causes::kNoCommonAlpn));
}

TEST_F(ResumptionTest, AProbeKeepsNothing) {
    ASSERT_TRUE(meet(dial(VerifyNothing{})).both());
    EXPECT_EQ(store->peers(), 0U);
}

TEST_F(ResumptionTest, AReloadThatPassesTheTicketKeysOnKeepsResumption) {
    ASSERT_TRUE(meet(dial()).both());
    server_context = context(server_key, {}, {}, server_context->ticket_keys());
    EXPECT_TRUE(resumed(meet(dial())));
    server_context = context(server_key);
    const Handshake fresh = meet(dial());
    ASSERT_TRUE(fresh.both()) << fresh.why();
    EXPECT_FALSE(resumed(fresh));
}

TEST_F(ResumptionTest, AServerWithAnotherKeyCannotResume) {
    ASSERT_TRUE(meet(dial()).both());
    const auto tickets = server_context->ticket_keys();
    const ClientOptions to_old = dial();
    server_key = NodeKey::generate();
    server_context = context(server_key, {}, {}, tickets);
    // Although the ticket keys were passed on.
    const Handshake second = meet(to_old);
    ASSERT_FALSE(second.client);
    EXPECT_TRUE(second.client.error().is(causes::kPeerKeyMismatch));
    const Handshake third = meet(dial());
    ASSERT_TRUE(third.both()) << third.why();
    EXPECT_FALSE(resumed(third));
}

TEST_F(ResumptionTest, JunkInTheStoreOnlyCostsAFullHandshake) {
    auto& lru = static_cast<LruResumptionStore&>(*store);
    for (const std::string_view junk : {"", "junk", "\x03\x04 longer junk that means nothing"}) {
        lru.keep_ticket(resumption_key(dial(), Carrier::tcp), as_bytes(junk));
        const Handshake both = meet(dial());
        ASSERT_TRUE(both.both()) << both.why();
        EXPECT_FALSE(resumed(both));
        store->clear();
    }
}

// --- ticket keys

TEST(TicketKeysTest, TheMasterIsReplacedDailyAndWhenTheClockGoesBack) {
    std::time_t now = 1'000'000;
    RotatingTicketKeys keys([&now] { return now; });
    const auto master = [&keys] { return to_bytes(keys.master()->view()); };
    const Bytes first = master();
    EXPECT_EQ(first.size(), RotatingTicketKeys::kMasterBytes);
    now += TicketKeys::kMasterLifetime.count() - 1;
    EXPECT_EQ(master(), first);
    now += 1;
    const Bytes second = master();
    EXPECT_NE(second, first);
    EXPECT_EQ(master(), second);
    now -= 1;
    EXPECT_NE(master(), second);
}

std::time_t gnutls_now = 0;

class TicketRotationTest : public TlsTest {
protected:
    TicketRotationTest() {
        gnutls_now = 1'800'000'000;
        gnutls_global_set_time_function([](std::time_t* into) {
            if (into != nullptr) {
                *into = gnutls_now;
            }
            return gnutls_now;
        });
    }
    ~TicketRotationTest() override { gnutls_global_set_time_function(std::time); }

    task<void> fetch_key_name(std::string& name) {
        auto [a, b] = net::make_memory_streams();
        ForeignClient client(
            std::move(b), {.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-ALL:+CTYPE-SRV-RAWPK:"
                                       "+CTYPE-CLI-RAWPK",
                           .alpns = {"alknet/echo"},
                           .flags = GNUTLS_ENABLE_RAWPK,
                           .key = client_key});
        TaskScope scope(loop);
        result<Tls> server = fail(causes::kInternal);
        scope.spawn(accept_into(loop, std::move(a), server_context, services, server), "server");
        EXPECT_EQ(co_await client.handshake(), 0);
        (void)co_await scope.join();
        EXPECT_TRUE(co_await server.value()->write(as_bytes("x")));
        EXPECT_EQ((co_await client.read()).value(), "x");
        name = client.ticket_key_name();
    }
    std::string key_name() {
        std::string name;
        run(fetch_key_name(name));
        EXPECT_EQ(name.size(), 16U);
        return name;
    }
};

TEST_F(TicketRotationTest, TheWorkingKeyChangesWithTime) {
    const std::string first = key_name();
    EXPECT_EQ(key_name(), first);
    gnutls_now += 3 * TicketKeys::kTicketLifetime.count();
    const std::string second = key_name();
    EXPECT_NE(second, first);
    gnutls_now += 3 * TicketKeys::kTicketLifetime.count();
    EXPECT_NE(key_name(), second);
}

// --- the store

TEST(ResumptionStoreTest, ForgetsThePeerLeastRecentlyUsed) {
    LruResumptionStore store(2);
    store.keep_ticket("a", as_bytes("1"));
    store.keep_ticket("b", as_bytes("2"));
    store.keep_token("a", as_bytes("token"));
    store.keep_ticket("c", as_bytes("3"));
    EXPECT_EQ(store.peers(), 2U);
    EXPECT_EQ(store.take_ticket("b").size(), 0U);
    EXPECT_EQ(as_text(store.take_ticket("a").view()), "1");
    EXPECT_EQ(as_text(store.take_ticket("c").view()), "3");
}

TEST(ResumptionStoreTest, KeepsAFewTicketsAndGivesTheNewestFirst) {
    LruResumptionStore store(1);
    for (std::size_t i = 0; i < ResumptionStore::kTicketsPerPeerMax + 2; ++i) {
        store.keep_ticket("a", as_bytes(std::to_string(i)));
    }
    std::size_t newest = ResumptionStore::kTicketsPerPeerMax + 1;
    for (std::size_t i = 0; i < ResumptionStore::kTicketsPerPeerMax; ++i) {
        EXPECT_EQ(as_text(store.take_ticket("a").view()), std::to_string(newest--));
    }
    EXPECT_EQ(store.take_ticket("a").size(), 0U);
}

TEST(ResumptionStoreTest, GivesATokenOnce) {
    LruResumptionStore store(1);
    EXPECT_TRUE(store.take_token("a").empty());
    store.keep_token("a", as_bytes("old"));
    store.keep_token("a", as_bytes("token"));
    EXPECT_EQ(as_text(store.take_token("a")), "token");
    EXPECT_TRUE(store.take_token("a").empty());
}

TEST(ResumptionStoreTest, DropsWhatIsTooLarge) {
    LruResumptionStore store(1);
    store.keep_ticket("a", Bytes(LruResumptionStore::kTicketBytesMax + 1));
    store.keep_token("a", Bytes(LruResumptionStore::kTokenBytesMax + 1));
    EXPECT_EQ(store.peers(), 0U);
    store.keep_ticket("a", Bytes(LruResumptionStore::kTicketBytesMax));
    store.keep_token("a", Bytes(LruResumptionStore::kTokenBytesMax));
    EXPECT_EQ(store.take_ticket("a").size(), LruResumptionStore::kTicketBytesMax);
    EXPECT_EQ(store.take_token("a").size(), LruResumptionStore::kTokenBytesMax);
}

TEST(ResumptionStoreTest, WithoutRoomKeepsNothing) {
    LruResumptionStore store(0);
    store.keep_ticket("a", as_bytes("1"));
    store.keep_token("a", as_bytes("1"));
    EXPECT_EQ(store.peers(), 0U);
}

}  // namespace
}  // namespace alknet::tls
