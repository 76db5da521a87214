// The node's events as Server-Sent Events: to whom, from where on, and how they end.
#include <gmock/gmock.h>
#include <alknet/base/causes.hpp>
#include <alknet/call/adapter.hpp>
#include <alknet/http/site.hpp>
#include <alknet/testing/co_test.hpp>
#include <array>

#include "call_events.hpp"
#include "call_socket.hpp"

namespace alknet::app {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

/// Knows the token "good".
class Tokens final : public IdentityProvider {
public:
    task<result<std::optional<Identity>>> resolve_from_fingerprint(std::string) override {
        co_return std::optional<Identity>();
    }
    task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                             std::string purpose) override {
        asked.push_back(token + " for " + purpose);
        co_return token == "good"
            ? std::optional(Identity{.id = "bob", .scopes = {"events:read"}, .resources = {}})
            : std::nullopt;
    }
    std::vector<std::string> asked;
};

/// Gives two events behind the one that a watcher has, and then nothing more.
task<result<void>> give_two(call::CallContext context, call::ItemSink& items) {
    const std::uint64_t first = context.resume_after.value_or(0) + 1;
    for (const std::uint64_t seq : {first, first + 1}) {
        ALKNET_CO_CHECK(co_await items.give(
            {.output = call::Json::object({{"event", "x"}}),
             .seq = seq,
             .missed = seq == 6 ? std::optional<std::uint64_t>(3) : std::nullopt}));
    }
    if (first > 100) {
        co_return fail(causes::kUsage, "there is nothing of that number yet");
    }
    Event never;
    co_return co_await never.wait();
}

/// A request without a body.
class Nothing final : public http::BodySource {
public:
    task<result<std::size_t>> read(MutableBytes) override { co_return 0U; }
};

struct World {
    World() {
        call::Operation operation;
        operation.name = "events/watch";
        operation.kind = call::Operation::Kind::subscription;
        operation.scope = identity::Scope::parse_exact(kEventsScope).value();
        operation.about = "what happens";
        operation.subscribe = [](call::CallContext context, call::Json, call::ItemSink& items) {
            return give_two(std::move(context), items);
        };
        EXPECT_TRUE(registry->add(std::move(operation)));
        adapter = std::make_shared<call::CallAdapter>(
            call::CallAdapterOptions{.registry = registry, .identities = tokens});
        handler = make_call_events({.serve = [this](std::shared_ptr<Connection> connection) {
            return serve(*this, std::move(connection));
        }});
        request.head.method = "GET";
        request.head.path = kEventsPath;
    }
    static task<void> serve(World& world, std::shared_ptr<Connection> connection) {
        AuthContext auth;
        auth.alpn = connection->info().alpn;
        auth.identity = world.auth.identity;
        (void)co_await world.adapter->handle(std::move(connection), std::move(auth));
    }
    /// What comes until it ends so, or is all.
    static task<std::string> receive(http::BodySource& source, std::string end) {
        std::string all;
        std::array<std::byte, 1000> piece{};
        while (!all.ends_with(end) || end.empty()) {
            const auto count = co_await source.read(piece);
            if (!count || *count == 0) {
                break;
            }
            all += as_text(BytesView(piece).first(*count));
        }
        co_return all;
    }

    std::shared_ptr<Tokens> tokens = std::make_shared<Tokens>();
    std::shared_ptr<call::OperationRegistry> registry = std::make_shared<call::OperationRegistry>();
    std::shared_ptr<call::CallAdapter> adapter;
    http::Handler handler;
    Nothing body;
    AuthContext auth;
    http::Request request{.head = {}, .body = body, .auth = auth, .trace_id = {}};
};

ALKNET_CO_TEST(CallEvents, ComeAsTheCallGivesThem) {
    World world;
    world.request.head.fields.add("authorization", "Bearer good");
    world.request.head.fields.add("last-event-id", "4");
    auto response = co_await world.handler(world.request);
    ALKNET_CO_ASSERT_OK(response);
    EXPECT_EQ(response->fields.find("content-type"), "text/event-stream; charset=utf-8");
    EXPECT_TRUE(world.tokens->asked.empty()) << "nothing has begun yet";
    const std::string all =
        co_await World::receive(*response->source, "id: 6\ndata: {\"event\":\"x\"}\n\n");
    EXPECT_EQ(all,
              "retry: 3000\n\nid: 5\ndata: {\"event\":\"x\"}\n\n"
              "event: missed\ndata: 3\n\nid: 6\ndata: {\"event\":\"x\"}\n\n");
    EXPECT_THAT(world.tokens->asked, testing::ElementsAre("good for alknet/call"));
    EXPECT_EQ(world.adapter->in_flight(), 1U);
    co_await response->source->close();
    EXPECT_EQ(world.adapter->in_flight(), 0U) << "the client's end is that of the call";
}

ALKNET_CO_TEST(CallEvents, SayWhyTheyEnd) {
    World world;
    world.auth.identity = Identity{.id = "bob", .scopes = {"events:read"}, .resources = {}};
    world.request.head.fields.add("last-event-id", "200");
    auto response = co_await world.handler(world.request);
    ALKNET_CO_ASSERT_OK(response);
    const std::string all = co_await World::receive(*response->source, "");
    EXPECT_THAT(all, HasSubstr("\n\nid: 201\n"));
    EXPECT_THAT(all, HasSubstr("\n\nid: 202\n"));
    EXPECT_THAT(all,
                EndsWith("event: failed\nid:\ndata: " + std::string(causes::kUsage.id) + "\n\n"));
    co_await response->source->close();
}

ALKNET_CO_TEST(CallEvents, TheCallDecidesWhoMay) {
    World world;  // a stranger, whom nobody has looked at before
    auto response = co_await world.handler(world.request);
    ALKNET_CO_ASSERT_OK(response);
    const std::string all = co_await World::receive(*response->source, "");
    EXPECT_THAT(all, HasSubstr("event: failed\ndata: E-AUTH"));
    EXPECT_THAT(all, testing::Not(HasSubstr("id: ")));
    co_await response->source->close();
}

ALKNET_CO_TEST(CallEvents, ANumberThatIsNoneIsRefused) {
    World world;
    world.request.head.fields.add("last-event-id", "x");
    const auto response = co_await world.handler(world.request);
    ALKNET_CO_ASSERT_OK(response);
    EXPECT_EQ(response->status, 400);
}

}  // namespace
}  // namespace alknet::app
