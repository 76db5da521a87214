// StreamHandler and EchoHandler over memory: one task for each stream, and what ends what.
#include <alknet/core/echo.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/testing/co_test.hpp>

#include "handlers.hpp"

namespace alknet {
namespace {

using namespace test;
using std::chrono::seconds;

/// What a stream says first decides what becomes of it.
class Obedient final : public StreamHandler {
public:
    explicit Obedient(StreamHandlerOptions options = {}) : StreamHandler(options) {}
    [[nodiscard]] std::vector<std::string> alpns() const override { return {"obedient"}; }

private:
    task<result<void>> handle_stream(BiStream& stream, const StreamContext& context) override {
        Bytes buffer(16);
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        const std::string order(as_text(BytesView(buffer).first(count)));
        if (order == "throw") {
            throw std::runtime_error("as told");
        }
        if (order == "fail") {
            co_return fail(causes::kForbidden, "as told");
        }
        const std::string answer = context.auth.alpn;
        ALKNET_CO_CHECK(co_await stream.write(as_bytes(answer)));
        co_return co_await stream.finish();
    }
};

task<result<std::string>> order(std::shared_ptr<Connection> connection, std::string what) {
    ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
    ALKNET_CO_CHECK(co_await stream->write(as_bytes(what)));
    ALKNET_CO_TRY(const Bytes answer, co_await receive_all(*stream));
    co_return std::string(as_text(answer));
}

ALKNET_CO_TEST(StreamHandler, AnErrorEndsItsStreamAlone) {
    TestNode node(loop);
    EXPECT_TRUE(node.registry->add(std::make_shared<Obedient>()));
    Served served(node, "obedient");
    auto other = co_await served.client->open_bi();
    const auto failed = co_await order(served.client, "fail");
    EXPECT_TRUE(failed.error().is(causes::kReset));
    EXPECT_EQ(failed.error().code(), close_code::kForbidden);
    EXPECT_TRUE(co_await (*other)->write(as_bytes("go on")));
    EXPECT_EQ(as_text((co_await receive_all(**other)).value()), "obedient");
    EXPECT_EQ((co_await order(served.client, "again")).value(), "obedient");
    EXPECT_EQ(node.sink->count("handler.failed"), 0U);
    served.client->close(0, "");
    (void)co_await served.ended();
}

ALKNET_CO_TEST(StreamHandler, AnExceptionEndsItsConnectionAlone) {
    TestNode node(loop);
    EXPECT_TRUE(node.registry->add(std::make_shared<Obedient>()));
    Served neighbour(node, "obedient");
    Served served(node, "obedient");
    auto other = co_await served.client->open_bi();
    EXPECT_FALSE(co_await order(served.client, "throw"));
    EXPECT_EQ(co_await served.ended(), close_code::kInternal);
    EXPECT_EQ(node.sink->last("handler.failed")->field("detail"), "as told");
    EXPECT_EQ((co_await order(neighbour.client, "go on")).value(), "obedient");
    neighbour.client->close(0, "");
    (void)co_await neighbour.ended();
}

ALKNET_CO_TEST(StreamHandler, ServesSoManyStreamsAtATimeAndNoMore) {
    TestNode node(loop);
    StreamHandlerOptions options;
    options.streams_max = 2;
    const auto handler = std::make_shared<Obedient>(options);
    EXPECT_TRUE(node.registry->add(handler));
    Served served(node, "obedient");
    auto a = co_await served.client->open_bi();
    auto b = co_await served.client->open_bi();
    Started third(loop, order(served.client, "third"));
    co_await settle(loop);
    EXPECT_EQ(handler->streams_running(), 2U);
    EXPECT_FALSE(third.done());
    EXPECT_TRUE(co_await (*a)->write(as_bytes("first")));
    EXPECT_EQ((co_await third.join()).value(), "obedient");
    served.client->close(0, "");
    (void)co_await served.ended();
    EXPECT_EQ(handler->streams_running(), 0U);
}

ALKNET_CO_TEST(StreamHandler, WorksOnAByteStream) {
    TestNode node(loop);
    EXPECT_TRUE(node.registry->add(std::make_shared<Obedient>()));
    auto [a, b] = net::make_memory_streams();
    StreamConnectionOptions options;
    options.info.alpn = "obedient";
    const auto client = make_stream_connection(loop, std::move(a), options);
    options.info.server_side = true;
    const auto server = make_stream_connection(loop, std::move(b), options);
    TaskScope scope(loop);
    scope.spawn(node.endpoint().serve(server), "serve");
    auto stream = co_await client->open_bi();
    EXPECT_TRUE(co_await send_all(**stream, to_bytes(as_bytes("hello"))));
    EXPECT_EQ(as_text((co_await receive_all(**stream)).value()), "obedient");
    EXPECT_TRUE(co_await scope.join());
    EXPECT_EQ(node.sink->last("conn.close")->field("code"), "0");
}

// ---- echo ----

ALKNET_CO_TEST(EchoHandler, EchoesStreamsAndDatagrams) {
    TestNode node(loop);
    EXPECT_TRUE(node.registry->add(std::make_shared<EchoHandler>()));
    Served served(node, std::string(kEchoAlpn));
    std::vector<std::unique_ptr<BiStream>> streams;
    for (std::size_t i = 0; i < 20; ++i) {
        streams.push_back((co_await served.client->open_bi()).value());
    }
    for (std::size_t i = 0; i < streams.size(); ++i) {
        const Bytes data = noise(i * 10'000);
        EXPECT_EQ((co_await exchange(loop, *streams[i], data)).value(), data);
    }
    EXPECT_TRUE(served.client->send_datagram(noise(100)));
    EXPECT_EQ((co_await served.client->recv_datagram()).value(), noise(100));
    served.client->close(0, "");
    (void)co_await served.ended();
    EXPECT_EQ(node.sink->count("handler.failed"), 0U);
}

ALKNET_CO_TEST(EchoHandler, ReadsNoFasterThanItIsRead) {
    TestNode node(loop);
    EXPECT_TRUE(node.registry->add(std::make_shared<EchoHandler>()));
    Served served(node, std::string(kEchoAlpn));
    auto stream = co_await served.client->open_bi();
    Started sending(loop, send_all(**stream, noise(1'000'000)));
    co_await settle(loop);
    EXPECT_TRUE(co_await loop.sleep(seconds(10)));
    EXPECT_FALSE(sending.done());
    EXPECT_EQ((co_await receive_all(**stream)).value(), noise(1'000'000));
    EXPECT_TRUE(co_await sending.join());
    served.client->close(0, "");
    (void)co_await served.ended();
}

ALKNET_CO_TEST(EchoHandler, ResetsAStreamOnWhichNothingMoves) {
    TestNode node(loop);
    EchoOptions options;
    options.stream_idle_timeout = seconds(5);
    EXPECT_TRUE(node.registry->add(std::make_shared<EchoHandler>(options)));
    Served served(node, std::string(kEchoAlpn));
    auto silent = co_await served.client->open_bi();
    auto deaf = co_await served.client->open_bi();
    Started flood(loop, send_some(**deaf, noise(1'000'000)));
    EXPECT_EQ((co_await receive_all(**silent)).error().code(), close_code::kTimeout);
    EXPECT_EQ((co_await flood.join()).error().code(), close_code::kTimeout);
    EXPECT_FALSE(served.client->close_reason().has_value());
    served.client->close(0, "");
    (void)co_await served.ended();
}

}  // namespace
}  // namespace alknet
