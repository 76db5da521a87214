// What a peer may send between its data: key updates, renegotiation, records of nothing.

#include "certificates.hpp"
#include "foreign.hpp"
#include "tls_fixture.hpp"

namespace alknet::tls {
namespace {

class RecordsTest : public TlsTest {
public:
    void connect(const char* priority) {
        server_context = context(server_key, {Authority("any").issue(dir, "node")});
        services.names = {"http/1.1"};
        result<Tls> outcome = fail(causes::kInternal, "did not end");
        run(meet(priority, outcome));
        ASSERT_TRUE(outcome) << outcome.error().message();
        server = std::move(*outcome);
    }
    task<void> meet(const char* priority, result<Tls>& into) {
        auto [a, b] = net::make_memory_streams();
        client =
            std::make_unique<ForeignClient>(std::move(b), ForeignOptions{.priority = priority});
        TaskScope scope(loop);
        scope.spawn(accept_into(loop, std::move(a), server_context, services, into), "server");
        EXPECT_EQ(co_await client->handshake(), 0);
        (void)co_await scope.join();
    }
    static task<result<std::string>> read_text(TlsStream& from) {
        std::array<std::byte, 64> buffer{};
        ALKNET_CO_TRY(const std::size_t count, co_await from.read(buffer));
        co_return std::string(as_text(BytesView(buffer).first(count)));
    }
    /// One message each way.
    static task<void> talk(ForeignClient& client, TlsStream& server) {
        EXPECT_TRUE(co_await client.write("question"));
        EXPECT_EQ((co_await read_text(server)).value(), "question");
        EXPECT_TRUE(co_await server.write(as_bytes("answer")));
        EXPECT_EQ((co_await client.read()).value(), "answer");
    }

    TempDir dir;
    std::unique_ptr<ForeignClient> client;
    Tls server;
};

constexpr const char* kTls13 = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
constexpr const char* kTls12 = "NORMAL:-VERS-ALL:+VERS-TLS1.2";

TEST_F(RecordsTest, KeysAreUpdatedInBothDirections) {
    connect(kTls13);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(gnutls_session_key_update(client->native(), GNUTLS_KU_PEER), 0);
        run(talk(*client, *server));
    }
}

TEST_F(RecordsTest, RenegotiationIsRefused) {
    connect(kTls12);
    run(talk(*client, *server));
    run([](RecordsTest& t) -> task<void> {
        EXPECT_EQ(gnutls_handshake(t.client->native()), GNUTLS_E_AGAIN);  // a second ClientHello
        const auto refused = co_await read_text(*t.server);
        EXPECT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(causes::kTls));
        EXPECT_FALSE(co_await t.server->write(as_bytes("x")));
    }(*this));
    EXPECT_EQ(services.asked, 1);
}

TEST_F(RecordsTest, RecordsOfNothingAreNoEndAndAFloodOfThemIsNoService) {
    connect(kTls13);
    run([](RecordsTest& t) -> task<void> {
        EXPECT_EQ(gnutls_record_send2(t.client->native(), "", 0, 1, 0), 0);
        EXPECT_TRUE(co_await t.client->write("data"));
        EXPECT_EQ((co_await read_text(*t.server)).value(), "data");
        for (int i = 0; i < 2000; ++i) {
            EXPECT_EQ(gnutls_record_send2(t.client->native(), "", 0, 1, 0), 0);
        }
        EXPECT_TRUE(co_await t.client->write("more"));
        const auto more = co_await with_timeout(std::chrono::seconds(1), read_text(*t.server));
        EXPECT_TRUE(!more || *more == "more");
        EXPECT_FALSE(!more && more.error().is(errc::timeout));
    }(*this));
}

}  // namespace
}  // namespace alknet::tls
