// HttpAdapter on connections: one stream or many, the access log, and shutting down.
#include <gmock/gmock.h>
#include <alknet/core/memory_connection.hpp>
#include <alknet/http/adapter.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <array>

namespace alknet::http {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Serving {
    explicit Serving(Loop& loop, std::string_view alpn = kAlknetHttpAlpn, bool beside = false)
        : scope(loop) {
        (void)root.write("a.txt", "content");
        sites->set(Sites::create({{.names = {}, .root = root.path()}}, {}).value());
        adapter = std::make_shared<HttpAdapter>(
            HttpAdapterOptions{.sites = sites, .log = Log(log), .metrics = metrics});
        MemoryConnectionOptions options;
        options.alpn = alpn;
        options.trace_id = "0123456789abcdef";
        options.server_address = SocketAddress::v4({127, 0, 0, 1}, 4433);
        options.http3_beside = beside;
        pair = make_memory_connection_pair(std::move(options));
        AuthContext auth;
        auth.alpn = alpn;
        auth.identity = Identity{.id = "bob", .scopes = {}, .resources = {}};
        scope.spawn(adapter->handle(pair.server, std::move(auth)), "http");
    }

    task<std::string> ask(std::string request) {
        auto stream = co_await pair.client->open_bi();
        if (!stream || !co_await (*stream)->write(as_bytes(request)) ||
            !co_await (*stream)->finish()) {
            co_return "refused";
        }
        std::string answer;
        std::array<std::byte, 1000> piece{};
        for (;;) {
            const auto count = co_await (*stream)->read(piece);
            if (!count || *count == 0) {
                co_return answer;
            }
            answer += as_text(BytesView(piece).first(*count));
        }
    }

    sim::TempDir root;
    std::shared_ptr<sim::MemoryLogSink> log = std::make_shared<sim::MemoryLogSink>();
    std::shared_ptr<Metrics> metrics = std::make_shared<Metrics>();
    std::shared_ptr<Snapshot<Sites>> sites =
        std::make_shared<Snapshot<Sites>>(std::make_shared<const Sites>());
    std::shared_ptr<HttpAdapter> adapter;
    MemoryConnectionPair pair;
    TaskScope scope;
};

ALKNET_CO_TEST(HttpAdapter, EachStreamIsAConnectionOfHttp) {
    Serving serving(loop);
    for (int i = 0; i < 2; ++i) {
        EXPECT_THAT(co_await serving.ask("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"),
                    testing::EndsWith("\r\n\r\ncontent"));
    }
    serving.pair.client->close(0, "");
    EXPECT_TRUE(co_await serving.scope.join());
}

// The ALPN of peers says nothing of the version: what comes first does.
ALKNET_CO_TEST(HttpAdapter, Http2IsSpokenToWhomItsPrefaceComesFrom) {
    Serving serving(loop);
    const std::string settings("\0\0\0\x04\0\0\0\0\0", 9);
    // HEADERS of stream 1: GET, https, /a.txt, the authority "a".
    std::string request("\0\0\x0d\x01\x05\0\0\0\x01\x82\x87\x04\x06/a.txt\x01\x01", 21);
    request += "a";
    const std::string answer =
        co_await serving.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + request);
    EXPECT_THAT(answer, HasSubstr("content"));
    const auto event = serving.log->last("http.request");
    ALKNET_CO_ASSERT(event.has_value());
    EXPECT_EQ(event->field("version"), "HTTP/2");
    EXPECT_EQ(event->field("status"), "200");
    // What only begins like it is a request of HTTP/1.1, and refused as one.
    EXPECT_THAT(co_await serving.ask("PRI * HTTP/2.0\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 "));
    EXPECT_EQ(co_await serving.ask(""), "");
    serving.pair.client->close(0, "");
    (void)co_await serving.scope.join();
}

ALKNET_CO_TEST(HttpAdapter, AClientThatSaysNothingIsNotWaitedForAtTheEnd) {
    Serving serving(loop);
    auto stream = co_await serving.pair.client->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    EXPECT_TRUE(co_await (*stream)->write(as_bytes("P")));
    co_await loop.sleep(std::chrono::seconds(1));
    const TimePoint began = loop.now();
    co_await serving.adapter->shutdown();
    EXPECT_EQ(loop.now(), began);
    serving.pair.client->close(0, "");
    (void)co_await serving.scope.join();
}

ALKNET_CO_TEST(HttpAdapter, Http3IsAWholeConnection) {
    Serving serving(loop, kHttp3Alpn);
    std::string section("\0\0\xd1\xd7\x50\1a", 7);  // GET, https, the authority "a"
    section.append("\x51\6/a.txt");
    const std::string request = std::string("\1") + static_cast<char>(section.size()) + section;
    EXPECT_THAT(co_await serving.ask(request), testing::EndsWith(std::string("\0\7content", 9)));
    co_await serving.adapter->shutdown();
    EXPECT_TRUE(co_await serving.scope.join());
    const auto event = serving.log->last("http.request");
    ALKNET_CO_ASSERT(event.has_value());
    EXPECT_EQ(event->field("version"), "HTTP/3");
    EXPECT_EQ(serving.pair.client->close_reason()->code(), 0x100U) << "H3_NO_ERROR";
}

ALKNET_CO_TEST(HttpAdapter, Http3IsToldOfWhereItIsServed) {
    for (const bool beside : {true, false}) {
        Serving serving(loop, kHttp11Alpn, beside);
        const std::string answer = co_await serving.ask("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_EQ(answer.contains("alt-svc: h3=\":4433\"; ma=86400\r\n"), beside) << answer;
        serving.pair.client->close(0, "");
        (void)co_await serving.scope.join();
    }
}

ALKNET_CO_TEST(HttpAdapter, TheAccessLogHasNoQueries) {
    Serving serving(loop);
    (void)co_await serving.ask("GET /a.txt?token=secret HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto event = serving.log->last("http.request");
    ALKNET_CO_ASSERT(event.has_value());
    EXPECT_EQ(event->field("path"), "/a.txt");
    EXPECT_EQ(event->field("identity"), "bob");
    EXPECT_EQ(event->field("status"), "200");
    EXPECT_EQ(event->field("bytes"), "7");
    EXPECT_EQ(event->field("trace"), "0123456789abcdef");
    for (const auto& [key, value] : event->fields) {
        EXPECT_THAT(value, testing::Not(HasSubstr("secret"))) << key;
    }
    (void)co_await serving.ask("GET /" + std::string(1000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(serving.log->last("http.request")->field("path").size(), 256U);
    EXPECT_THAT(serving.metrics->text(),
                HasSubstr("alknet_http_requests_total{version=\"HTTP/1.1\",status=\"4xx\"} 1"));
    serving.pair.client->close(0, "");
    (void)co_await serving.scope.join();
}

ALKNET_CO_TEST(HttpAdapter, NewSitesHoldForTheNextRequest) {
    Serving serving(loop);
    serving.sites->set(std::make_shared<const Sites>());
    EXPECT_THAT(co_await serving.ask("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"),
                StartsWith("HTTP/1.1 421 "));
    serving.pair.client->close(0, "");
    (void)co_await serving.scope.join();
}

ALKNET_CO_TEST(HttpAdapter, ShutdownEndsIdleConnections) {
    Serving serving(loop);
    auto stream = co_await serving.pair.client->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    EXPECT_TRUE(co_await (*stream)->write(as_bytes("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n")));
    std::array<std::byte, 1000> piece{};
    EXPECT_TRUE(co_await (*stream)->read(piece));
    const TimePoint began = loop.now();
    co_await serving.adapter->shutdown();
    EXPECT_EQ(loop.now(), began);
    EXPECT_EQ(serving.adapter->streams_running(), 0U);
    EXPECT_TRUE(co_await serving.scope.join());
}

}  // namespace
}  // namespace alknet::http
