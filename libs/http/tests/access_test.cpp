// Who may have what sites serve, how often, and which pages may read it.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/grants.hpp>
#include <alknet/http/site.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/testing/co_test.hpp>

#include "rate_buckets.hpp"
#include "upstream_world.hpp"

namespace alknet::http {
namespace {

using namespace test;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kScope = "web:read";

/// Knows "good", "narrow" and "ended"; is not to be asked for "broken".
class Tokens final : public IdentityProvider {
public:
    task<result<std::optional<Identity>>> resolve_from_fingerprint(std::string) override {
        co_return std::optional<Identity>();
    }
    task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                             std::string purpose) override {
        asked.push_back(token + " for " + purpose);
        if (token == "broken") {
            co_return fail(causes::kDiskFull);
        }
        if (token == "expired") {
            co_return fail(causes::kTokenInvalid);
        }
        Identity one{.id = token, .scopes = {}, .resources = {}};
        if (token == "good" || token == "ended") {
            one.scopes.emplace_back(kScope);
        }
        one.renewal_only = token == "ended";
        const bool known = !gone && (token == "good" || token == "narrow" || token == "ended");
        co_return known ? std::optional(std::move(one)) : std::nullopt;
    }

    std::vector<std::string> asked;
    bool gone = false;  // all of them
};

Access access_with(std::shared_ptr<Tokens> tokens) {
    return {.scope = std::string(kScope),
            .demand = [](const Identity& one) -> result<void> {
                const bool has = std::ranges::any_of(one.scopes, [](const std::string& scope) {
                    return grant_covers(scope, kScope);
                });
                return has ? result<void>() : fail(causes::kScopeMissing, std::string(kScope));
            },
            .identities = std::move(tokens)};
}

/// A body without a single octet.
class Nothing final : public BodySource {
public:
    task<result<std::size_t>> read(MutableBytes) override { co_return 0U; }
};

struct Asking {
    std::string method = "GET";
    std::string path = "/healthz";
    std::vector<std::pair<std::string, std::string>> fields{};
    std::optional<Identity> identity{};
    std::string remote = "192.0.2.1:1";
};

task<Response> ask(const Sites& sites, Asking asking) {
    Nothing body;
    AuthContext auth;
    auth.identity = asking.identity;
    auth.remote = SocketAddress::parse(asking.remote).value();
    Request request{.head = {}, .body = body, .auth = auth, .trace_id = {}};
    request.head.method = asking.method;
    request.head.path = asking.path;
    request.head.authority = "a";
    for (const auto& [name, value] : asking.fields) {
        request.head.fields.add(name, value);
    }
    co_return co_await sites.answer(request);
}

Asking with_token(std::string token) {
    return {.fields = {{"authorization", "Bearer " + std::move(token)}}};
}

std::string field(const Response& response, std::string_view name) {
    return std::string(response.fields.find(name).value_or(""));
}

Identity peer(std::string id, std::string scope) {
    return {.id = std::move(id), .scopes = {std::move(scope)}, .resources = {}};
}

struct Guarded {
    explicit Guarded(SiteOptions site = {}, const Limits& limits = {}) {
        site.health = true;
        site.access = access_with(tokens);
        auto made = Sites::create({std::move(site)}, limits);
        EXPECT_TRUE(made);
        sites = *made;
    }
    std::shared_ptr<Tokens> tokens = std::make_shared<Tokens>();
    std::shared_ptr<const Sites> sites;
};

ALKNET_CO_TEST(HttpAccess, StrangersAreAskedForAToken) {
    Guarded world;
    const Response response = co_await ask(*world.sites, {});
    EXPECT_EQ(response.status, 401);
    EXPECT_EQ(field(response, "www-authenticate"), "Bearer");
    EXPECT_THAT(response.content, Not(HasSubstr(kScope))) << "of no use to strangers";
}

ALKNET_CO_TEST(HttpAccess, ATokenIsWhoItNames) {
    Guarded world;
    const Response response = co_await ask(*world.sites, with_token("good"));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.by_token, "good");
    EXPECT_THAT(world.tokens->asked, testing::ElementsAre("good for alknet/http"));
    Asking as_protocol;
    as_protocol.fields = {{"sec-websocket-protocol", "chat, alknet.bearer.good"}};
    EXPECT_EQ((co_await ask(*world.sites, as_protocol)).status, 200);
}

ALKNET_CO_TEST(HttpAccess, WhoIsKnownAndMayNotIsTold) {
    Guarded world;
    for (const bool by_key : {false, true}) {
        Asking asking = by_key ? Asking() : with_token("narrow");
        if (by_key) {
            asking.identity = peer("narrow", "web:write");
        }
        const Response response = co_await ask(*world.sites, asking);
        EXPECT_EQ(response.status, 403);
        EXPECT_EQ(field(response, "www-authenticate"),
                  "Bearer error=\"insufficient_scope\", scope=\"web:read\"");
    }
    EXPECT_EQ((co_await ask(*world.sites, with_token("ended"))).status, 403);
}

ALKNET_CO_TEST(HttpAccess, TheKeyOfTheConnectionWillDo) {
    Guarded world;
    EXPECT_EQ((co_await ask(*world.sites, {.identity = peer("bob", "web:*")})).status, 200);
    // A browser shows its certificate for every page.
    const Response foreign = co_await ask(
        *world.sites,
        {.fields = {{"origin", "https://other.example"}}, .identity = peer("bob", "web:*")});
    EXPECT_EQ(foreign.status, 403);
}

ALKNET_CO_TEST(HttpAccess, NothingFallsBackFromATokenThatIsNotAccepted) {
    Guarded world;
    const std::vector<std::vector<std::pair<std::string, std::string>>> all = {
        {{"authorization", "Bearer guess"}},
        {{"authorization", "Bearer expired"}},
        {{"authorization", "Bearer "}},
        {{"authorization", "Basic Z29vZDpnb29k"}},
        {{"authorization", "Bearer good"}, {"authorization", "Bearer good"}},
        {{"authorization", "Bearer good"}, {"sec-websocket-protocol", "alknet.bearer.good"}},
        {{"sec-websocket-protocol", "alknet.bearer.guess"}},
    };
    for (const auto& fields : all) {
        const Response response =
            co_await ask(*world.sites, {.fields = fields, .identity = peer("bob", "web:*")});
        EXPECT_EQ(response.status, 401) << fields[0].second;
        EXPECT_EQ(field(response, "www-authenticate"), "Bearer error=\"invalid_token\"");
    }
    EXPECT_EQ((co_await ask(*world.sites, with_token("broken"))).status, 500)
        << "that is not the token's fault";
}

task<result<Response>> say_open(Request&) {
    co_return text_response(200, "open");
}

ALKNET_CO_TEST(HttpAccess, WhatAdmitsByItselfIsNotAskedFor) {
    Guarded world({.own = {{.path = "/own", .handler = say_open},
                           {.path = "/open", .handler = say_open, .admits = true}}});
    EXPECT_EQ((co_await ask(*world.sites, {.path = "/own"})).status, 401);
    EXPECT_EQ((co_await ask(*world.sites, {.path = "/open"})).status, 200);
    EXPECT_EQ((co_await ask(*world.sites, {.path = "/nothing"})).status, 401);
}

ALKNET_CO_TEST(HttpAccess, ARouteMayAskForSomethingElse) {
    const auto tokens = std::make_shared<Tokens>();
    SiteOptions site;
    site.health = true;
    site.routes.push_back({.path = "/app", .proxy = {}, .access = access_with(tokens)});
    const auto sites = Sites::create({site}, {}).value();
    EXPECT_EQ((co_await ask(*sites, {})).status, 200);
    EXPECT_EQ((co_await ask(*sites, {.path = "/app/x"})).status, 401);
    Asking known = with_token("good");
    known.path = "/app/x";
    EXPECT_EQ((co_await ask(*sites, known)).status, 502) << "behind it is nothing";
}

/// What a server behind a route gets, where the route asks for a scope and where it does not.
task<std::string> passed_on(Loop& loop, bool required) {
    const auto network = std::make_shared<FakeNetwork>();
    SiteOptions site;
    if (required) {
        site.access = access_with(std::make_shared<Tokens>());
    }
    site.routes.push_back({.path = "/", .proxy = {.upstream = {.host = "upstream"}}});
    const auto sites =
        Sites::create(
            {site}, {},
            {.network = network,
             .may_connect = [](std::string_view, const SocketAddress&) { return result<void>(); }})
            .value();
    test::World world(loop);
    world.route("GET", "/*rest", [&](Request& request) -> task<result<Response>> {
        struct Asking {
            static task<result<Response>> run(const Sites& sites, Request& request) {
                co_return co_await sites.answer(request);
            }
        };
        return Asking::run(*sites, request);
    });
    world.start();
    co_await world.send(
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nX: y\r\n"
        "Sec-WebSocket-Protocol: chat\r\n\r\n");
    EXPECT_TRUE(co_await network->arrived.wait());
    const std::unique_ptr<ByteStream> upstream = std::move(network->upstream.front());
    std::string asked = co_await receive_until(*upstream, "\r\n\r\n");
    world.scope.cancel();
    (void)co_await world.scope.join();
    co_return asked;
}

ALKNET_CO_TEST(HttpAccess, AnUpstreamIsNotGivenATokenThatWasForTheNode) {
    const std::string asked = co_await passed_on(loop, true);
    EXPECT_THAT(asked, HasSubstr("\r\nx: y\r\n"));
    EXPECT_THAT(asked, HasSubstr("\r\nsec-websocket-protocol: chat\r\n"));
    EXPECT_THAT(asked, Not(HasSubstr("good")));
    EXPECT_THAT(co_await passed_on(loop, false), HasSubstr("\r\nauthorization: Bearer good\r\n"))
        << "where nothing is asked for, it is between the client and the upstream";
}

// What the program answers itself has one path, and each way to write it.
ALKNET_CO_TEST(HttpAccess, NoSpellingOfAPathGetsPastWhatIsAskedBefore) {
    SiteOptions site;
    site.own.push_back({.path = "/alknet/events",
                        .handler = say_open,
                        .access = access_with(std::make_shared<Tokens>())});
    site.routes.push_back({.path = "/alknet", .proxy = {}});
    const auto sites = Sites::create({site}, {}).value();
    for (const std::string_view path :
         {"/alknet/events",      "/alknet/events/",         "/alknet/events//",
          "//alknet/events",     "/alknet//events",         "/alknet/%65vents",
          "/%61lknet/events",    "/alknet/./events",        "/alknet/%2e/events",
          "/alknet/x/../events", "/alknet/x/%2E%2e/events", "/./alknet/events",
          "/alknet%2fevents",    "/alknet%2Fevents",        "/alknet/events/.",
          "/alknet/events/%2e",  "/alknet/events%00",       "/alknet/events;a=b",
          "/alknet;a/events",    "/ALKNET/events",          "/alknet\\events",
          "alknet/events"}) {
        const Response response = co_await ask(*sites, {.path = std::string(path)});
        EXPECT_GE(response.status, 400) << path;
        EXPECT_NE(response.content, "open") << path;
    }
    for (const std::string_view path : {"/alknet/events", "/alknet/events/", "/alknet/%65vents"}) {
        EXPECT_EQ((co_await ask(*sites, {.path = std::string(path)})).status, 401) << path;
        Asking known = with_token("good");
        known.path = path;
        EXPECT_EQ((co_await ask(*sites, known)).status, 200) << path;
    }
}

// ---- for how long ----

task<result<void>> wait_for_end(BiStream& stream) {
    std::array<std::byte, 1> octet{};
    ALKNET_CO_CHECK(co_await stream.read(octet));
    co_return result<void>();
}

task<result<Response>> open_tunnel(Request&) {
    Response response;
    response.status = 101;
    response.tunnel = wait_for_end;
    co_return response;
}

ALKNET_CO_TEST(HttpAccess, ATunnelEndsWithItsToken) {
    Guarded world({.own = {{.path = "/tunnel", .handler = open_tunnel}}});
    Asking asking = with_token("good");
    asking.path = "/tunnel";
    Response response = co_await ask(*world.sites, asking);
    EXPECT_EQ(response.status, 101);
    auto [ours, theirs] = net::make_memory_streams();
    TaskScope scope(loop);
    std::optional<result<void>> ended;
    struct Run {
        static task<void> run(Tunnel& tunnel, BiStream& stream,
                              std::optional<result<void>>& ended) {
            ended = co_await tunnel(stream);
        }
    };
    scope.spawn(Run::run(response.tunnel, *theirs, ended), "tunnel");
    co_await loop.sleep(std::chrono::hours(1));
    EXPECT_FALSE(ended) << "it is still accepted";
    world.tokens->gone = true;
    co_await loop.sleep(seconds(2));
    EXPECT_TRUE(ended && !*ended && ended->error().cause().id == causes::kTokenInvalid.id);
    (void)co_await scope.join();
}

/// One octet at once, and one after each hour.
class Endless final : public BodySource {
public:
    explicit Endless(bool& closed) : closed_(closed) {}
    task<result<std::size_t>> read(MutableBytes into) override {
        if (begun_) {
            const TaskContext context = co_await current_context();
            ALKNET_CO_CHECK(co_await context.loop->sleep(std::chrono::hours(1)));
        }
        begun_ = true;
        into[0] = std::byte{'x'};
        co_return 1U;
    }
    task<void> close() override {
        closed_ = true;
        co_return;
    }

private:
    bool& closed_;
    bool begun_ = false;
};

task<result<Response>> download(bool& closed) {
    Response response;
    response.source = std::make_unique<Endless>(closed);
    co_return response;
}

ALKNET_CO_TEST(HttpAccess, ADownloadEndsWithItsToken) {
    bool closed = false;
    Guarded world(
        {.own = {{.path = "/long", .handler = [&closed](Request&) { return download(closed); }}}});
    Asking asking = with_token("good");
    asking.path = "/long";
    Response response = co_await ask(*world.sites, asking);
    EXPECT_EQ(response.status, 200);
    std::array<std::byte, 10> piece{};
    EXPECT_EQ(co_await response.source->read(piece), 1U);
    EXPECT_EQ(co_await response.source->read(piece), 1U) << "an hour later";
    world.tokens->gone = true;
    const TimePoint began = loop.now();
    const auto read = co_await response.source->read(piece);
    EXPECT_TRUE(!read && read.error().cause().id == causes::kTokenInvalid.id);
    EXPECT_LE(loop.now() - began, seconds(2));
    EXPECT_FALSE(co_await response.source->read(piece));
    co_await response.source->close();
    EXPECT_TRUE(closed);
}

// ---- how often ----

Limits rate_of(std::uint64_t per_second, std::uint64_t burst) {
    Limits limits;
    limits.rate = {.requests_per_second = per_second, .requests_burst = burst};
    return limits;
}

ALKNET_CO_TEST(HttpRate, EachPeerAndEachAddressHasItsOwn) {
    SiteOptions site;
    site.health = true;
    const auto sites = Sites::create({site}, rate_of(2, 3)).value();
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ((co_await ask(*sites, {})).status, 200);
    }
    const Response refused = co_await ask(*sites, {});
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(field(refused, "retry-after"), "1");
    EXPECT_THAT(refused.content, HasSubstr("http.limits.requests_per_second"));
    EXPECT_EQ((co_await ask(*sites, {.remote = "192.0.2.2:1"})).status, 200);
    EXPECT_EQ((co_await ask(*sites, {.identity = peer("bob", "x:y")})).status, 200);
    co_await loop.sleep(seconds(1));
    EXPECT_EQ((co_await ask(*sites, {})).status, 200);
    EXPECT_EQ((co_await ask(*sites, {})).status, 200);
    EXPECT_EQ((co_await ask(*sites, {})).status, 429);
}

ALKNET_CO_TEST(HttpRate, ATokenCountsForWhomItNamesAndAGuessForWhereItComesFrom) {
    Guarded world({}, rate_of(1, 3));
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ((co_await ask(*world.sites, with_token("good"))).status, 200);
    }
    EXPECT_EQ((co_await ask(*world.sites, with_token("good"))).status, 429);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ((co_await ask(*world.sites, with_token("guess"))).status, 401);
    }
    const std::size_t asked = world.tokens->asked.size();
    EXPECT_EQ((co_await ask(*world.sites, with_token("guess"))).status, 429);
    EXPECT_EQ(world.tokens->asked.size(), asked) << "not even looked at";
}

TEST(HttpRate, WhoIsKnownApartIsBounded) {
    RateBuckets buckets({.requests_per_second = 1, .requests_burst = 1});
    const TimePoint now{};
    for (std::size_t i = 0; i < kRateBucketsMax; ++i) {
        EXPECT_FALSE(buckets.take(std::to_string(i), now));
    }
    // All of these share one.
    EXPECT_FALSE(buckets.take("a", now));
    EXPECT_EQ(buckets.take("b", now), seconds(1));
    EXPECT_EQ(buckets.look("0", now), seconds(1));
    EXPECT_FALSE(buckets.take("id bob", now)) << "whom no number of strangers keeps out";
    EXPECT_FALSE(buckets.take("id eve", now));
    EXPECT_EQ(buckets.take("id bob", now), seconds(1));
    // Those that have not asked for a while make room.
    EXPECT_FALSE(buckets.take("c", now + seconds(2)));
    EXPECT_FALSE(buckets.take("d", now + seconds(2)));
}

// ---- pages of other sites ----

Asking from(std::string origin, std::string method = "GET") {
    return {.method = std::move(method), .fields = {{"origin", std::move(origin)}}};
}

ALKNET_CO_TEST(HttpOrigins, OnlyThoseThatAreListedMayRead) {
    SiteOptions site;
    site.health = true;
    site.origins = {"https://app.example"};
    const auto sites = Sites::create({site}, {}).value();
    const Response listed = co_await ask(*sites, from("https://App.example"));
    EXPECT_EQ(field(listed, "access-control-allow-origin"), "https://app.example");
    EXPECT_EQ(field(listed, "vary"), "origin");
    const Response other = co_await ask(*sites, from("https://other.example"));
    EXPECT_EQ(other.status, 200);
    EXPECT_EQ(field(other, "access-control-allow-origin"), "");
    EXPECT_EQ(field(other, "vary"), "origin");
    const auto closed = Sites::create({{.names = {}, .root = {}, .health = true}}, {}).value();
    EXPECT_EQ(field(co_await ask(*closed, from("https://app.example")), "vary"), "");
}

ALKNET_CO_TEST(HttpOrigins, PreflightsAreAnsweredBeforeAnybodyIsKnown) {
    Guarded world({.origins = {"https://app.example"}});
    Asking asking = from("https://app.example", "OPTIONS");
    asking.fields.emplace_back("access-control-request-method", "PUT");
    asking.fields.emplace_back("access-control-request-headers", "authorization, x-mine");
    const Response response = co_await ask(*world.sites, asking);
    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(field(response, "access-control-allow-origin"), "https://app.example");
    EXPECT_EQ(field(response, "access-control-allow-methods"), "PUT");
    EXPECT_EQ(field(response, "access-control-allow-headers"), "authorization, x-mine");
    EXPECT_EQ(field(response, "access-control-max-age"), "600");
    EXPECT_EQ(field(response, "access-control-allow-credentials"), "");
    for (const auto& [origin, wanted] : {std::pair("https://other.example", "x"),
                                         std::pair("https://app.example", "not a name")}) {
        Asking refused = from(origin, "OPTIONS");
        refused.fields.emplace_back("access-control-request-method", "PUT");
        refused.fields.emplace_back("access-control-request-headers", wanted);
        EXPECT_EQ((co_await ask(*world.sites, refused)).status, 403);
    }
    EXPECT_EQ((co_await ask(*world.sites, from("https://app.example", "OPTIONS"))).status, 401);
}

}  // namespace
}  // namespace alknet::http
