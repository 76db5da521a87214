#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/config/config.hpp>
#include <alknet/config/settings.hpp>

namespace alknet::config {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Parsed parse_text(std::string_view text) {
    return parse(text, {.file = "test.toml", .base = "/var/lib/node"});
}

Config accepted(std::string_view text) {
    Parsed parsed = parse_text(text);
    EXPECT_THAT(parsed.problems, IsEmpty()) << as_error(parsed.problems).message();
    return std::move(parsed.config);
}

TEST(ConfigSites, AreRead) {
    const Config config = accepted(
        "[[http.site]]\nroot = 'www'\n"
        "[[http.site]]\nnames = ['A.Example', '[::1]']\nroot = '/srv'\nhealth = true\ncall = true\n"
        "[http.limits]\nbody_bytes_max = '1 GiB'\nkeep_alive_timeout = '5s'\n");
    const std::vector<HttpSite>& sites = config.dynamic.http_sites;
    ASSERT_THAT(sites, SizeIs(2));
    EXPECT_EQ(sites[0].root, "/var/lib/node/www");
    EXPECT_THAT(sites[0].names, IsEmpty());
    EXPECT_THAT(sites[1].names, ElementsAre("a.example", "[::1]"));
    EXPECT_TRUE(sites[1].health);
    EXPECT_TRUE(sites[1].call);
    EXPECT_FALSE(sites[0].call);
    EXPECT_FALSE(sites[0].metrics);
    EXPECT_TRUE(accepted("[[http.site]]\nmetrics = true\n").dynamic.http_sites.at(0).metrics);
    EXPECT_EQ(config.dynamic.http_limits.body_bytes_max, 1U << 30);
    EXPECT_EQ(config.dynamic.http_limits.keep_alive_timeout, seconds(5));
    EXPECT_EQ(config.dynamic.http_limits.header_timeout, HttpLimits().header_timeout);
}

TEST(ConfigSites, WhatTheyAskForIsRead) {
    const Config config = accepted(
        "[[http.site]]\nroot = 'www'\nrequire = 'web:read'\norigins = "
        "['https://App.example:8443']\n"
        "[[http.site.route]]\npath = '/'\nproxy = 'http://a'\nrequire = 'web:use:app'\n"
        "[http.limits]\nrequests_per_second = 10\nrequests_burst = 20\n");
    const HttpSite& site = config.dynamic.http_sites.at(0);
    EXPECT_EQ(site.require, "web:read");
    EXPECT_THAT(site.origins, ElementsAre("https://app.example:8443"));
    EXPECT_EQ(site.routes.at(0).require, "web:use:app");
    EXPECT_EQ(config.dynamic.http_limits.requests_per_second, 10U);
    EXPECT_EQ(config.dynamic.http_limits.requests_burst, 20U);
    EXPECT_EQ(HttpLimits().requests_per_second, 0U);
    for (const std::string_view wrong :
         {"require = 'web:*'", "origins = ['app.example']", "origins = ['https://']",
          "origins = ['https://a/']", "origins = ['*']"}) {
        const std::string text = "[[http.site]]\nroot = 'www'\n" + std::string(wrong);
        EXPECT_THAT(parse_text(text).problems, SizeIs(1)) << wrong;
    }
}

TEST(ConfigSites, RoutesAreRead) {
    const Config config = accepted(
        "[[http.site]]\n"
        "[[http.site.route]]\npath = '/'\nproxy = 'http://Backend.example'\n"
        "[[http.site.route]]\npath = '/a.b/c'\nproxy = 'http://[::1]:8080/'\nstrip = true\n"
        "proxy_header = true\nconnect_timeout = '1s'\nanswer_timeout = '2s'\n"
        "idle_timeout = '3s'\n"
        "[[http.site]]\nnames = ['b']\nroot = '/srv'\n"
        "route = [{ path = '/x', proxy = 'unix:/run/x.sock' }]\n");
    const std::vector<HttpSite>& sites = config.dynamic.http_sites;
    ASSERT_THAT(sites, SizeIs(2));
    ASSERT_THAT(sites[0].routes, SizeIs(2));
    HttpRoute expected{
        .path = "/", .proxy = {.host = "backend.example", .port = 80, .socket = {}}, .require = {}};
    EXPECT_EQ(sites[0].routes[0], expected);
    expected = {.path = "/a.b/c",
                .proxy = {.host = "::1", .port = 8080, .socket = {}},
                .strip = true,
                .proxy_header = true,
                .connect_timeout = seconds(1),
                .answer_timeout = seconds(2),
                .idle_timeout = seconds(3),
                .require = {}};
    EXPECT_EQ(sites[0].routes[1], expected);
    ASSERT_THAT(sites[1].routes, SizeIs(1));
    EXPECT_EQ(sites[1].routes[0].proxy.socket, "/run/x.sock");
}

TEST(ConfigSites, SettingsOfRoutesKnowTheirLines) {
    const std::string_view text =
        "[[http.site]]\nroot = '/srv'\nnames = ['a']\n[[http.site]]\nnames = ['b']\n"
        "[[http.site.route]]\npath = '/x'\nproxy = 'http://[::1]'\n"
        "[[http.site]]\n[[http.site.route]]\npath = '/'\nproxy = 'unix:/run/x'\n";
    std::vector<std::string> lines;
    for (const Setting& one : settings(parse_text(text).config, text)) {
        if (one.key == "proxy") {
            lines.push_back(one.entry + " " + one.value + " " + std::to_string(one.line));
        }
    }
    EXPECT_THAT(lines, ElementsAre("http.site.route.b/x \"http://[::1]:80\" 8",
                                   "http.site.route.*/ \"unix:/run/x\" 12"));
}

TEST(ConfigSites, ATableOfRoutesByItselfIsRefused) {
    EXPECT_THAT(parse_text("[http]\n'site.route' = 1\n").problems, SizeIs(1));
}

struct Refusal {
    const char* text;
    const char* key;
    const char* reason;
};

class ConfigSitesRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(ConfigSitesRefuses, AndSaysWhy) {
    const Parsed parsed = parse_text(GetParam().text);
    ASSERT_FALSE(parsed.problems.empty());
    EXPECT_EQ(parsed.problems[0].key, GetParam().key);
    EXPECT_THAT(parsed.problems[0].reason, HasSubstr(GetParam().reason));
    EXPECT_GT(parsed.problems[0].line, 0U);
}

#define SITE "[[http.site]]\nroot = '/srv'\n"
#define ROUTE_TOO(path, proxy) "[[http.site.route]]\npath = '" path "'\nproxy = '" proxy "'\n"
#define ROUTE(path, proxy) SITE ROUTE_TOO(path, proxy)

INSTANTIATE_TEST_SUITE_P(
    All, ConfigSitesRefuses,
    testing::Values(Refusal{"http = 1", "http", "must be a table"},
                    Refusal{"[http.site]\nroot = '/srv'", "http.site", "and is a table"},
                    Refusal{"[[http.site]]", "http.site",
                            "serves nothing: it has neither a root nor a route"},
                    Refusal{SITE SITE, "http.site", "there is another site without names"},
                    Refusal{SITE "names = ['a']\n" SITE "names = ['b', 'A']", "http.site",
                            "there is another site 'a'"},
                    Refusal{SITE "names = ['a:443']", "http.site.names", "without a port"},
                    Refusal{SITE "names = ['']", "http.site.names", "must be host names"},
                    Refusal{SITE "names = ['a/b']", "http.site.names", "must be host names"},
                    Refusal{SITE "names = ['[::g]']", "http.site.names", "must be host names"},
                    Refusal{SITE "route = 1", "http.site.route", "and is an integer"},
                    Refusal{SITE "route = [1]", "http.site.route", "must be a table"},
                    Refusal{SITE "route = [{path = '/'}]", "http.site.route", "the key 'proxy'"},
                    Refusal{ROUTE("/a", "http://a") ROUTE_TOO("/a", "http://b"), "http.site.route",
                            "there is another route '/a'"},
                    Refusal{ROUTE("a", "http://a"), "http.site.route.path", "must be \"/\""},
                    Refusal{ROUTE("/a/", "http://a"), "http.site.route.path", "must be \"/\""},
                    Refusal{ROUTE("/a//b", "http://a"), "http.site.route.path", "must be"},
                    Refusal{ROUTE("/a/../b", "http://a"), "http.site.route.path", "must be"},
                    Refusal{ROUTE("/%61", "http://a"), "http.site.route.path", "must be"},
                    Refusal{ROUTE("/", "https://a"), "http.site.route.proxy", "must be http://"},
                    Refusal{ROUTE("/", "http://"), "http.site.route.proxy", "must be http://"},
                    Refusal{ROUTE("/", "http://a/b"), "http.site.route.proxy", "must be http://"},
                    Refusal{ROUTE("/", "http://a:0"), "http.site.route.proxy", "must be http://"},
                    Refusal{ROUTE("/", "http://a:1-2"), "http.site.route.proxy", "must be http"},
                    Refusal{ROUTE("/", "http://*:1"), "http.site.route.proxy", "must be http://"},
                    Refusal{ROUTE("/", "http://10.0.0.0/8"), "http.site.route.proxy", "must be"},
                    Refusal{ROUTE("/", "unix:run"), "http.site.route.proxy", "must be http://"},
                    Refusal{"http.limits.fields_max = 1", "http.limits.fields_max", "from 8"},
                    Refusal{"http.limits.field_max = 9", "http.limits.field_max", "'fields_max'"}));

}  // namespace
}  // namespace alknet::config
