// Proxy URLs and the variables that hold them.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/proxy.hpp>
#include <cstdlib>

namespace alknet::net {
namespace {

TEST(ProxyUrl, ReadsEveryForm) {
    const auto squid = ProxyUrl::parse("http://proxy.example:3128");
    ASSERT_TRUE(squid);
    EXPECT_EQ(squid->kind, ProxyUrl::Kind::http);
    EXPECT_EQ(squid->host, "proxy.example");
    EXPECT_EQ(squid->port, 3128);
    EXPECT_EQ(squid->user, "");
    EXPECT_EQ(ProxyUrl::parse("proxy.example:3128/")->to_string(), squid->to_string());
    EXPECT_EQ(ProxyUrl::parse("HTTP://p")->port, 80);
    EXPECT_EQ(ProxyUrl::parse("socks5://p")->port, 1080);
    EXPECT_EQ(ProxyUrl::parse("socks5h://p")->kind, ProxyUrl::Kind::socks5);
    EXPECT_EQ(ProxyUrl::parse("socks5://[2001:db8::1]:9")->host, "2001:db8::1");
    EXPECT_EQ(ProxyUrl::parse("socks5://[2001:db8::1]:9")->to_string(),
              "socks5h://[2001:db8::1]:9");
}

TEST(ProxyUrl, ReadsCredentials) {
    const auto url = ProxyUrl::parse("http://bob:p%40ss:w@rd@proxy:1");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->user, "bob");
    EXPECT_EQ(url->password, "p@ss:w@rd");
    EXPECT_EQ(url->host, "proxy");
    EXPECT_EQ(url->to_string(), "http://proxy:1");  // nobody sees them
    EXPECT_EQ(ProxyUrl::parse("http://bob@proxy")->password, "");
    EXPECT_EQ(ProxyUrl::parse("socks5://a%3Ab:c@proxy")->user, "a:b");
}

TEST(ProxyUrl, RefusesWhatItCannotUse) {
    for (const char* text :
         {"", "http://", "https://p:1", "ftp://p", "socks4://p", "http://p:0", "http://p:65536",
          "http://p:", "http://p:x", "http://[::1", "http://[::1]x", "http://[zz]:1", "http://a b",
          "http://:secret@p", "http://a%2:secret@p", "http://a%zz:secret@p",
          "http://a%3Ab:secret@p", "http://@p", "::1"}) {
        const auto url = ProxyUrl::parse(text);
        if (std::string_view(text) == "::1") {
            EXPECT_TRUE(url);
            continue;
        }
        ASSERT_FALSE(url) << text;
        EXPECT_TRUE(url.error().is(causes::kProxyInvalid)) << text;
        EXPECT_EQ(url.error().message().find("secret"), std::string::npos);
    }
    EXPECT_FALSE(ProxyUrl::parse("http://" + std::string(ProxyUrl::kTextBytesMax, 'a')));
    EXPECT_FALSE(ProxyUrl::parse("http://" + std::string(ProxyUrl::kHostBytesMax + 1, 'a')));
    const std::string longest(ProxyUrl::kCredentialBytesMax, 'u');
    EXPECT_TRUE(ProxyUrl::parse("http://" + longest + ":" + longest + "@p"));
    EXPECT_FALSE(ProxyUrl::parse("http://" + longest + "u@p"));
    EXPECT_FALSE(ProxyUrl::parse("http://u:" + longest + "u@p"));
}

TEST(NoProxy, CoversNamesAddressesAndNetworks) {
    struct Case {
        const char* list;
        const char* host;
        bool covered;
    };
    const Case cases[] = {
        {"", "a.example", false},
        {"*", "a.example", true},
        {"example", "example", true},
        {"example", "a.EXAMPLE", true},
        {".example", "a.example", true},
        {"example", "anexample", false},
        {"example:4433", "a.example", true},
        {"example:443", "a.example", false},
        {"x, ,example", "a.example", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.11", false},
        {"2.1", "192.0.2.1", false},
        {"192.0.2.0/24", "192.0.2.200", true},
        {"192.0.2.0/24", "192.0.3.1", false},
        {"192.0.2.0/33", "192.0.2.0", false},
        {"192.0.2.0/x", "192.0.2.0", false},
        {"0.0.0.0/0", "192.0.2.1", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"[2001:db8::1]:4433", "2001:db8::1", true},
        {"2001:db8::/32", "2001:db8:1::1", true},
        {"[::1", "x", false},
        {".", "x", false},
    };
    for (const Case& one : cases) {
        EXPECT_EQ(no_proxy_covers(one.list, one.host, 4433), one.covered)
            << one.list << " and " << one.host;
    }
}

TEST(ProxySettings, HttpsComesBeforeAllAndNoProxyBeforeBoth) {
    ProxySettings settings{.https_proxy = "", .all_proxy = "socks5://all", .no_proxy = "here"};
    EXPECT_EQ((*settings.proxy_for("a", 1))->host, "all");
    settings.https_proxy = "http://https";
    EXPECT_EQ((*settings.proxy_for("a", 1))->host, "https");
    EXPECT_FALSE(*settings.proxy_for("here", 1));
    EXPECT_FALSE(*ProxySettings().proxy_for("a", 1));
    settings.https_proxy = "quux://x";
    const auto broken = settings.proxy_for("a", 1);
    ASSERT_FALSE(broken);
    EXPECT_TRUE(broken.error().is(causes::kProxyInvalid));
    EXPECT_NE(broken.error().detail().find("HTTPS_PROXY"), std::string::npos);
}

}  // namespace
}  // namespace alknet::net
