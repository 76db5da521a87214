// Trailers: what comes behind the content of requests and responses, on every version of HTTP.
#include <gmock/gmock.h>

#include "h2_world.hpp"
#include "h3_world.hpp"
#include "upstream_world.hpp"

namespace alknet::http {
namespace {

using namespace test;
using testing::HasSubstr;
using testing::Not;

// Octets that no Huffman code makes shorter, so that they are found on the wire as they are.
constexpr std::string_view kName = "^~|";
constexpr std::string_view kValue = "|~^";

std::string text_of(const Fields& fields) {
    std::string all;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        all.append(fields[i].name).append("=").append(fields[i].value).append(";");
    }
    return all;
}

/// Answers with the body of the request and its trailer.
task<result<Response>> tell(Request& request) {
    ALKNET_CO_TRY(std::string body, co_await read_all(request.body, 1 << 20));
    co_return text_response(200, body + " " + text_of(request.body.trailers()));
}

/// "hello", and a trailer of which some may not be said.
class Trailing final : public BodySource {
public:
    task<result<std::size_t>> read(MutableBytes into) override {
        const std::string_view text = std::exchange(done_, true) ? "" : "hello";
        std::ranges::copy(as_bytes(text), into.begin());
        co_return text.size();
    }
    [[nodiscard]] Fields trailers() const override {
        Fields fields;
        fields.add(kName, done_ ? kValue : "early");
        fields.add("content-length", "9");
        fields.add("transfer_encoding", "chunked");
        fields.add("x-broken", "a\r\nb");
        return fields;
    }

private:
    bool done_ = false;
};

task<result<Response>> give(bool sized) {
    Response response;
    response.source = std::make_unique<Trailing>();
    response.source_size = sized ? std::optional<std::uint64_t>(5) : std::nullopt;
    co_return response;
}

// ---- HTTP/1.1 ----

ALKNET_CO_TEST(HttpTrailers, OfChunksReachTheHandler) {
    World world(loop);
    world.route("POST", "/", tell);
    world.start();
    co_await world.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\nX-Sum: 5\r\nContent-Length: 7\r\nAuthorization: x\r\n\r\n");
    EXPECT_THAT(co_await world.receive("x-sum=5;"), HasSubstr("\r\n\r\nabc x-sum=5;"));
    co_await world.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ndef");
    EXPECT_THAT(co_await world.receive("def "), HasSubstr("\r\n\r\ndef ")) << "none of before";
    co_await world.finish();
}

ALKNET_CO_TEST(HttpTrailers, AreForThoseWhoTakeThem) {
    World world(loop);
    world.route("GET", "/", [](Request&) { return give(false); });
    world.route("GET", "/sized", [](Request&) { return give(true); });
    world.start();
    co_await world.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(co_await world.receive("\r\n0\r\n\r\n"), HasSubstr("hello\r\n0\r\n\r\n"));
    for (const std::string_view te : {"trailers", "deflate;q=0.5, Trailers", "trailers;q=1"}) {
        co_await world.send("GET / HTTP/1.1\r\nHost: a\r\nTE: " + std::string(te) + "\r\n\r\n");
        EXPECT_THAT(co_await world.receive("|~^\r\n\r\n"),
                    HasSubstr("hello\r\n0\r\n^~|: |~^\r\n\r\n"));
    }
    co_await world.send("GET /sized HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
    EXPECT_THAT(co_await world.receive("hello"), HasSubstr("content-length: 5\r\n"));
    co_await world.send("GET / HTTP/1.0\r\nHost: a\r\nTE: trailers\r\n\r\n");
    EXPECT_THAT(co_await world.receive_all(), Not(HasSubstr(kName)));
    co_await world.finish();
}

// ---- HTTP/2 ----

std::string h2_field(std::string_view name, std::string_view value) {
    std::string out(1, '\0');
    out.append(1, static_cast<char>(name.size())).append(name);
    return out.append(1, static_cast<char>(value.size())).append(value);
}

std::string h2_post(std::string_view trailer) {
    return frame(kHeaders, kEndHeaders, 1, fields("\x83")) + frame(kData, 0, 1, "abc") +
           frame(kHeaders, kEndHeaders | kEndStream, 1, trailer);
}

ALKNET_CO_TEST(HttpTrailers, OfHttp2ReachTheHandler) {
    H2World world(loop);
    world.route("POST", "/", tell);
    co_await world.send(preface() + h2_post(h2_field("x-sum", "5") + h2_field("cookie", "6")));
    EXPECT_EQ((co_await world.next(kData)).payload, "abc x-sum=5;");
    EXPECT_TRUE(co_await world.client->finish());
    (void)co_await world.scope.join();
}

ALKNET_CO_TEST(HttpTrailers, OfHttp2AreBounded) {
    H2World world(loop);
    world.route("POST", "/", tell);
    std::string trailer;
    for (std::size_t i = 0; i <= kTrailersMax; ++i) {
        trailer += h2_field("x", "y");
    }
    co_await world.send(preface() + h2_post(trailer));
    EXPECT_THAT((co_await world.next(kData)).payload, HasSubstr("the trailer is too large"));
    EXPECT_TRUE(co_await world.client->finish());
    (void)co_await world.scope.join();
    EXPECT_THAT(world.served, testing::ElementsAre("/ 431"));
}

ALKNET_CO_TEST(HttpTrailers, LeaveOverHttp2) {
    H2World world(loop);
    world.route("GET", "/", [](Request&) { return give(false); });
    co_await world.send(preface() + frame(kHeaders, kEndHeaders | kEndStream, 1,
                                          fields() + h2_field("te", "trailers")));
    EXPECT_EQ((co_await world.next(kHeaders)).flags, kEndHeaders);
    const Frame trailer = co_await world.next(kHeaders);
    EXPECT_EQ(trailer.flags, kEndHeaders | kEndStream);
    EXPECT_THAT(trailer.payload, HasSubstr(kName));
    EXPECT_THAT(trailer.payload, HasSubstr(kValue));
    EXPECT_THAT(trailer.payload, Not(HasSubstr("content-length")));
    co_await world.send(get(3));
    EXPECT_EQ((co_await world.next(kHeaders)).stream, 3U);
    EXPECT_EQ((co_await world.next(kData)).payload, "hello");
    EXPECT_EQ((co_await world.next(kData)).flags, kEndStream) << "not asked for";
    EXPECT_TRUE(co_await world.client->finish());
    (void)co_await world.scope.join();
    EXPECT_TRUE(world.outcome);
}

// ---- HTTP/3 ----

std::string h3_trailer(std::string_view section) {
    return h3_frame(kHeadersFrame, std::string(2, '\0').append(section));
}

ALKNET_CO_TEST(HttpTrailers, OfHttp3ReachTheHandler) {
    H3World world(loop);
    world.route("POST", "/", tell);
    co_await world.greet();
    const std::string asked = h3_head("POST", "/") + h3_frame(kDataFrame, "abc");
    const H3Answer answer =
        co_await world.ask(asked + h3_trailer(h3_field("x-sum", "5") + h3_field("cookie", "6")));
    EXPECT_EQ(answer.content, "abc x-sum=5;");
    std::string trailer;
    for (std::size_t i = 0; i <= kTrailersMax; ++i) {
        trailer += h3_field("x", "y");
    }
    const H3Answer refused = co_await world.ask(asked + h3_trailer(trailer));
    EXPECT_THAT(refused.content, HasSubstr("the trailer is too large"));
    co_await world.finish();
}

ALKNET_CO_TEST(HttpTrailers, LeaveOverHttp3) {
    H3World world(loop);
    world.route("GET", "/", [](Request&) { return give(false); });
    co_await world.greet();
    const H3Answer with = co_await world.ask(h3_head("GET", "/", h3_field("te", "trailers")));
    EXPECT_EQ(with.content, "hello");
    EXPECT_TRUE(with.ended);
    EXPECT_THAT(with.head, HasSubstr(kName));
    EXPECT_THAT(with.head, HasSubstr(kValue));
    const H3Answer without = co_await world.ask(h3_head("GET", "/"));
    EXPECT_EQ(without.content, "hello");
    EXPECT_TRUE(without.ended);
    EXPECT_THAT(without.head, Not(HasSubstr(kName)));
    co_await world.finish();
}

// ---- routes ----

ALKNET_CO_TEST(HttpTrailers, PassThroughARouteBothWays) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send(
        "POST /a HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te, x-hop\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    const auto upstream = co_await proxy.accept();
    const std::string head = co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("\r\nte: trailers\r\nconnection: close, te\r\n"));
    co_await proxy.world.send(
        "1\r\na\r\n0\r\nX-Sum: 5\r\nX-Hop: 1\r\nX-Forwarded-For: 192.0.2.9\r\n"
        "X_Real_IP: 192.0.2.9\r\nHost: b\r\n\r\n");
    EXPECT_EQ(co_await receive_until(*upstream, "\r\n\r\n"), "1\r\na\r\n0\r\nx-sum: 5\r\n\r\n");
    EXPECT_TRUE(co_await upstream->write(
        as_bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
                 "Grpc-Status: 0\r\nSet-Cookie: a=b\r\nKeep-Alive: 1\r\n\r\n")));
    EXPECT_THAT(co_await proxy.world.receive("0\r\n\r\n"),
                HasSubstr("hi\r\n0\r\ngrpc-status: 0\r\n\r\n"));
    co_await proxy.world.finish();
}

ALKNET_CO_TEST(HttpTrailers, AreNotAskedOfAnUpstreamForNobody) {
    ProxyWorld proxy(loop);
    co_await proxy.world.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto upstream = co_await proxy.accept();
    const std::string head = co_await receive_until(*upstream, "\r\n\r\n");
    EXPECT_THAT(head, Not(HasSubstr("\r\nte:")));
    EXPECT_THAT(head, HasSubstr("\r\nconnection: close\r\n"));
    EXPECT_TRUE(co_await upstream->write(
        as_bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
                 "Grpc-Status: 0\r\n\r\n")));
    EXPECT_THAT(co_await proxy.world.receive("\r\n0\r\n\r\n"), HasSubstr("hi\r\n0\r\n\r\n"));
    co_await proxy.world.finish();
}

}  // namespace
}  // namespace alknet::http
