#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/http/router.hpp>
#include <alknet/http/site.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/temp_dir.hpp>

namespace alknet::http {
namespace {

using testing::HasSubstr;

/// A body without a single octet.
class Nothing final : public BodySource {
public:
    task<result<std::size_t>> read(MutableBytes) override { co_return 0U; }
};

struct Asked {
    Nothing body;
    AuthContext auth;
    Request request{.head = {}, .body = body, .auth = auth, .trace_id = {}};

    explicit Asked(std::string method, std::string path, std::string host = "a") {
        request.head.method = std::move(method);
        request.head.path = std::move(path);
        request.head.authority = std::move(host);
    }
};

task<result<Response>> say(std::string text) {
    co_return text_response(200, std::move(text));
}

Handler named(std::string name) {
    return [name = std::move(name)](const Request& request) {
        std::string text = name;
        for (const auto& [parameter, value] : request.parameters) {
            text.append(" ").append(parameter).append("=").append(value);
        }
        return say(std::move(text));
    };
}

task<std::string> ask(const Router& router, std::string method, std::string path) {
    Asked asked(std::move(method), std::move(path));
    const Response response = co_await router.answer(asked.request);
    const auto allow = response.fields.find("allow");
    const bool text = response.status == 200;
    co_return std::to_string(response.status) + (text    ? " " + response.content
                                                 : allow ? " " + std::string(*allow)
                                                         : "");
}

ALKNET_CO_TEST(Router, FindsTheHandler) {
    Router router;
    EXPECT_TRUE(router.add("GET", "/", named("root")));
    EXPECT_TRUE(router.add("GET", "/users", named("users")));
    EXPECT_TRUE(router.add("POST", "/users", named("new user")));
    EXPECT_TRUE(router.add("GET", "/users/{id}", named("user")));
    EXPECT_TRUE(router.add("GET", "/users/me", named("me")));
    EXPECT_TRUE(router.add("GET", "/users/{id}/keys", named("keys")));
    EXPECT_TRUE(router.add("GET", "/files/*path", named("files")));
    struct Row {
        const char* method;
        const char* path;
        const char* answer;
    };
    for (const Row& row : {
             Row{"GET", "/", "200 root"},
             Row{"GET", "/users", "200 users"},
             Row{"GET", "/users/", "200 users"},
             Row{"POST", "/users", "200 new user"},
             Row{"GET", "/users/7", "200 user id=7"},
             Row{"GET", "/users/a%20b", "200 user id=a b"},
             Row{"GET", "/users/me", "200 me"},
             Row{"GET", "/users/me/keys", "200 keys id=me"},
             Row{"GET", "/files", "200 files path="},
             Row{"GET", "/files/a/b", "200 files path=a/b"},
             Row{"GET", "/users/../files/x", "200 files path=x"},
             Row{"HEAD", "/users", "200 users"},
             Row{"GET", "/other", "404"},
             Row{"GET", "/users/7/other", "404"},
             Row{"PUT", "/users", "405 GET, HEAD, POST, OPTIONS"},
             Row{"POST", "/", "405 GET, HEAD, OPTIONS"},
             Row{"OPTIONS", "/users", "204 GET, HEAD, POST, OPTIONS"},
             Row{"OPTIONS", "*", "204"},
             Row{"GET", "/../x", "400"},
             Row{"GET", "/%2f", "400"},
         }) {
        EXPECT_EQ(co_await ask(router, row.method, row.path), row.answer) << row.path;
    }
}

TEST(Router, PatternsThatAreNone) {
    Router router;
    EXPECT_TRUE(router.add("GET", "/a/{x}", named("")));
    for (const char* const pattern : {"", "a", "/a//b", "/*rest/b", "/a/{x}", "/a/{y}/b"}) {
        const auto added = router.add("GET", pattern, named(""));
        EXPECT_FALSE(added) << pattern;
    }
    EXPECT_FALSE(router.add("G T", "/b", named("")));
}

TEST(Router, Routes) {
    Router router;
    for (std::size_t i = 0; i < Router::kRoutesMax; ++i) {
        EXPECT_TRUE(router.add("GET", "/" + std::to_string(i), named("")));
    }
    EXPECT_FALSE(router.add("GET", "/more", named("")));
}

task<std::string> ask_site(const Sites& sites, std::string host, std::string path) {
    Asked asked("GET", std::move(path), std::move(host));
    Response response = co_await sites.answer(asked.request);
    std::string text = std::to_string(response.status);
    if (response.status == 200 && response.source != nullptr) {
        auto body = co_await read_all(*response.source, 1000);
        text += " " + body.value_or("?");
    } else if (response.status == 200) {
        text += " " + response.content;
    }
    co_return text;
}

ALKNET_CO_TEST(Sites, AreFoundByTheName) {
    const sim::TempDir one;
    const sim::TempDir two;
    (void)one.write("x", "one");
    (void)two.write("x", "two");
    const auto sites = Sites::create({{.names = {"one.example", "[::1]"}, .root = one.path()},
                                      {.names = {}, .root = two.path(), .health = true}},
                                     {});
    ALKNET_CO_ASSERT_OK(sites);
    EXPECT_EQ(co_await ask_site(**sites, "one.example", "/x"), "200 one");
    EXPECT_EQ(co_await ask_site(**sites, "one.example:4433", "/x"), "200 one");
    EXPECT_EQ(co_await ask_site(**sites, "[::1]:4433", "/x"), "200 one");
    EXPECT_EQ(co_await ask_site(**sites, "other.example", "/x"), "200 two");
    EXPECT_EQ(co_await ask_site(**sites, "", "/x"), "200 two");
    EXPECT_EQ(co_await ask_site(**sites, "other.example", "/healthz"), "200 ok\n");
    EXPECT_EQ(co_await ask_site(**sites, "one.example", "/healthz"), "404");
}

task<result<Response>> say_much(Request&) {
    co_return text_response(200, std::string(2000, 'x'));
}

ALKNET_CO_TEST(Sites, TextOfTheirOwnIsCoded) {
    SiteOptions site;
    site.own.push_back({.path = "/much", .handler = say_much});
    const auto sites = Sites::create({site}, {}).value();
    for (const std::string_view coding : {"", "gzip", "br"}) {
        Asked asked("GET", "/much", "a");
        asked.request.head.fields.add("accept-encoding", coding);
        Response response = co_await sites->answer(asked.request);
        EXPECT_EQ(response.status, 200);
        EXPECT_EQ(response.fields.find("vary"), "accept-encoding");
        EXPECT_EQ(response.fields.find("content-encoding").value_or(""), coding);
        if (coding.empty()) {
            EXPECT_EQ(response.content, std::string(2000, 'x'));
            continue;
        }
        const auto body = co_await read_all(*response.source, 1000);
        EXPECT_TRUE(body && body->size() < 100) << coding;
    }
}

ALKNET_CO_TEST(Sites, ANameThatNoneHasIsMisdirected) {
    const sim::TempDir one;
    const auto sites = Sites::create({{.names = {"one.example"}, .root = one.path()}}, {});
    ALKNET_CO_ASSERT_OK(sites);
    EXPECT_EQ(co_await ask_site(**sites, "two.example", "/"), "421");
    EXPECT_EQ(co_await ask_site(Sites(), "one.example", "/"), "421");
    EXPECT_TRUE(Sites().empty());
}

TEST(Sites, WhatCannotBe) {
    const sim::TempDir one;
    EXPECT_TRUE(Sites::create({{.names = {}, .root = one / "none"}}, {}).error().is(causes::kIo));
    EXPECT_TRUE(
        Sites::create({{.names = {}, .root = one.write("file", "")}}, {}).error().is(causes::kIo));
    const SiteOptions named{.names = {"a"}, .root = one.path()};
    EXPECT_TRUE(Sites::create({named, named}, {}).error().is(causes::kConfigInvalid));
    const SiteOptions other{.names = {}, .root = one.path()};
    EXPECT_TRUE(Sites::create({other, other}, {}).error().is(causes::kConfigInvalid));
}

TEST(Pages, SayWhatToDoInTheClientsForm) {
    RequestHead head;
    const Response text = page(head, 404, "It is <gone>.", "Look elsewhere.");
    EXPECT_EQ(text.content, "404 Not Found\nIt is <gone>.\nLook elsewhere.\n");
    head.fields.add("accept", "text/html,application/xhtml+xml");
    const Response html = page(head, 404, "It is <\"gone\" & away>.", "Look elsewhere.");
    EXPECT_THAT(html.content, HasSubstr("<p>It is &lt;&quot;gone&quot; &amp; away&gt;.</p>"));
    EXPECT_EQ(html.fields.find("content-type"), "text/html; charset=utf-8");
}

TEST(Pages, OfErrors) {
    const RequestHead head;
    EXPECT_EQ(failure_response(head, error(causes::kAuthRequired)).status, 401);
    EXPECT_EQ(failure_response(head, error(causes::kForbidden)).status, 403);
    EXPECT_EQ(failure_response(head, error(causes::kUnknownPeer)).status, 404);
    EXPECT_EQ(failure_response(head, error(causes::kTimeout)).status, 504);
    EXPECT_EQ(failure_response(head, error(causes::kLimit)).status, 429);
    EXPECT_EQ(failure_response(head, error(causes::kProtocol)).status, 400);
    EXPECT_EQ(failure_response(head, error(causes::kUnreachable)).status, 503);
    EXPECT_EQ(failure_response(head, error(causes::kClosed)).status, 502);
    EXPECT_EQ(failure_response(head, error(causes::kPeerExists)).status, 409);
    EXPECT_EQ(failure_response(head, error(causes::kInternal)).status, 500);
}

ALKNET_CO_TEST(Body, ReadToItsEnd) {
    class Twice final : public BodySource {
    public:
        task<result<std::size_t>> read(MutableBytes into) override {
            into[0] = into[1] = std::byte('x');
            co_return left-- > 0 ? 2U : 0U;
        }
        int left = 2;
    };
    Twice enough;
    EXPECT_EQ((co_await read_all(enough, 4)).value(), "xxxx");
    Twice more;
    EXPECT_TRUE((co_await read_all(more, 3)).error().is(causes::kLimit));
}

}  // namespace
}  // namespace alknet::http
