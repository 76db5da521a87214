// What a proxy changes in heads, and which paths it takes for what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy_fields.hpp"

namespace alknet::http {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ProxyFields, APrefixIsOneOfWholeSegments) {
    EXPECT_EQ(match_prefix("/", "/"), 1U);
    EXPECT_EQ(match_prefix("/", "/a"), 1U);
    EXPECT_EQ(match_prefix("/a", "/a"), 2U);
    EXPECT_EQ(match_prefix("/a/", "/a/b"), 2U);
    EXPECT_EQ(match_prefix("/a/b", "/a/b/c"), 4U);
    EXPECT_EQ(match_prefix("/a", "/%61/b"), 4U);
    EXPECT_EQ(match_prefix("/a", "/a;x=1/b"), 6U);
    EXPECT_EQ(match_prefix("/a", "/ab"), 0U);
    EXPECT_EQ(match_prefix("/a/b", "/a"), 0U);
    EXPECT_EQ(match_prefix("/a", "/"), 0U);
    EXPECT_EQ(match_prefix("/a", "*"), 0U);
}

TEST(ProxyFields, WhatCouldBeReadInDifferentWaysIsRefused) {
    for (const std::string_view good : {"/", "/a", "/a/", "/a/b.c", "/a%20b", "/..a", "/a;b=.."}) {
        EXPECT_TRUE(is_unambiguous(good)) << good;
    }
    for (const std::string_view bad :
         {"",       "*",      "a",     "//",      "//a",    "/a//b",     "/a//",
          "/.",     "/..",    "/a/..", "/a/../b", "/a/./b", "/%2e%2e/a", "/a/%2e",
          "/a%2fb", "/a%5cb", "/a%00", "/..;/a",  "/.;x",   "/;x",       "/%ff"}) {
        EXPECT_FALSE(is_unambiguous(bad)) << bad;
    }
}

RequestHead request() {
    RequestHead head;
    head.method = "POST";
    head.path = "/a/b";
    head.query = "q=1";
    head.authority = "example.org:8443";
    head.content_length = 5;
    return head;
}

TEST(ProxyFields, TheUpstreamGetsWhatTheClientSaid) {
    RequestHead head = request();
    head.fields.add("accept", "text/html");
    head.fields.add("cookie", "a=1");
    head.fields.add("cookie", "b=2");
    const std::string octets = upstream_head(
        head,
        {.path = "/b", .host = "localhost", .client = SocketAddress::v4({192, 0, 2, 1}, 4000)});
    EXPECT_EQ(octets,
              "POST /b?q=1 HTTP/1.1\r\n"
              "host: example.org:8443\r\n"
              "accept: text/html\r\n"
              "cookie: a=1; b=2\r\n"
              "forwarded: for=192.0.2.1;host=\"example.org:8443\";proto=https\r\n"
              "x-forwarded-for: 192.0.2.1\r\n"
              "x-forwarded-host: example.org:8443\r\n"
              "x-forwarded-proto: https\r\n"
              "x-real-ip: 192.0.2.1\r\n"
              "content-length: 5\r\n"
              "connection: close\r\n"
              "\r\n");
}

TEST(ProxyFields, WhatIsOfOneHopOrOursIsLeftOut) {
    RequestHead head = request();
    head.content_length.reset();
    head.chunked = true;
    for (const std::string_view name : {"connection",
                                        "keep-alive",
                                        "proxy-connection",
                                        "proxy-authorization",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade",
                                        "http2-settings",
                                        "expect",
                                        "forwarded",
                                        "x-forwarded-for",
                                        "x-forwarded-anything",
                                        "x_forwarded_for",
                                        "x-forwarded_proto",
                                        "x-real-ip",
                                        "x_real_ip",
                                        "content-length",
                                        "host",
                                        "private"}) {
        head.fields.add(name, name == "connection" ? "close, Private" : "forged");
    }
    const std::string octets = upstream_head(head, {.path = "", .host = "h", .client = {}});
    EXPECT_THAT(octets, Not(HasSubstr("forged")));
    EXPECT_THAT(octets, HasSubstr("POST /?q=1 HTTP/1.1\r\n"));
    EXPECT_THAT(octets, HasSubstr("forwarded: for=unknown;host="));
    EXPECT_THAT(octets, HasSubstr("transfer-encoding: chunked\r\nconnection: close\r\n\r\n"));
}

TEST(ProxyFields, AddressesAreWrittenAsRfc7239Wants) {
    RequestHead head = request();
    head.authority.clear();
    const auto client = SocketAddress::parse("[2001:db8::1]:1").value();
    const std::string octets = upstream_head(head, {.path = "/", .host = "h:1", .client = client});
    EXPECT_THAT(octets, HasSubstr("\r\nhost: h:1\r\n"));
    EXPECT_THAT(octets, HasSubstr("forwarded: for=\"[2001:db8::1]\";proto=https\r\n"));
    EXPECT_THAT(octets, HasSubstr("x-forwarded-for: 2001:db8::1\r\n"));
}

TEST(ProxyFields, TheClientGetsWhatIsForIt) {
    Fields from;
    from.add("server", "s");
    from.add("connection", "x-hop");
    from.add("x-hop", "1");
    from.add("transfer-encoding", "chunked");
    from.add("content-length", "1");
    from.add("set-cookie", "a");
    from.add("set-cookie", "b");
    Fields wanted;
    wanted.add("server", "s");
    wanted.add("set-cookie", "a");
    wanted.add("set-cookie", "b");
    EXPECT_EQ(passed_back(from), wanted);
}

}  // namespace
}  // namespace alknet::http
