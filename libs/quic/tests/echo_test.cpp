#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

task<result<std::string>> ask(std::shared_ptr<Connection> connection, std::string question) {
    ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
    ALKNET_CO_CHECK(co_await write_all(*stream, std::move(question)));
    co_return co_await read_all(*stream);
}

TEST_F(QuicTest, EchoesOverOneStream) {
    serve_echo();
    start_client();
    auto connection = dial();
    ASSERT_TRUE(connection) << connection.error().message();
    const auto answer = run(ask(*connection, "hello"));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(*answer, "hello");
    EXPECT_EQ((*connection)->info().alpn, "alknet/echo");
    EXPECT_EQ((*connection)->info().quic_version, "v1");
    EXPECT_EQ((*connection)->info().peer.key, policy.context->key().id());
}

}  // namespace
}  // namespace alknet::quic
