#include "tls_fixture.hpp"

namespace alknet::tls {
namespace {

class HandshakeTest : public TlsTest {};

TEST_F(HandshakeTest, TwoRawKeysMeetAndKnowEachOther) {
    Handshake both = handshake(server_context, services, pinned(server_context->key().id()));
    ASSERT_TRUE(both.both()) << both.why();
    const ConnectionInfo& server = (*both.server)->info();
    const ConnectionInfo& client = (*both.client)->info();
    EXPECT_EQ(server.alpn, "alknet/echo");
    EXPECT_EQ(client.alpn, "alknet/echo");
    EXPECT_EQ(server.peer.key, client_context->key().id());
    EXPECT_EQ(client.peer.key, server_context->key().id());
    EXPECT_EQ(server.tls_version, "TLS1.3");
    EXPECT_EQ(server.cipher, "AES-128-GCM");
    EXPECT_FALSE(server.peer.resumed);
    EXPECT_EQ(server.trace_id.size(), 16U);
    EXPECT_EQ(server.trace_id, client.trace_id);
}

}  // namespace
}  // namespace alknet::tls
