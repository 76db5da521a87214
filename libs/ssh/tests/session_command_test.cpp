// What the node answers in the place of a command.
#include <gmock/gmock.h>

#include "session_world.hpp"

namespace alknet::ssh {
namespace {

using call::Json;
using Kind = ChannelEvent::Kind;
using testing::HasSubstr;
using testing::Not;

/// What a channel has said until it was closed.
struct Said {
    std::string plain;
    std::string errors;
    std::uint32_t status = 99;
};

call::Operation operation(std::string name, std::string_view scope) {
    call::Operation made;
    made.name = std::move(name);
    made.about = "for tests";
    made.scope = identity::Scope::parse_exact(scope).value();
    made.input = call::Schema::compile(Json::object({})).value();
    return made;
}

task<result<Json>> give_back(call::CallContext context, Json input) {
    co_return Json::object({{"who", context.identity->id}, {"input", std::move(input)}});
}

task<result<void>> count(call::ItemSink& items) {
    for (int i = 1;; ++i) {
        ALKNET_CO_CHECK(co_await items.give({.output = Json(i)}));
        ALKNET_CO_CHECK(co_await (co_await current_context()).loop->sleep(std::chrono::seconds(1)));
    }
}

/// One who may call `test/echo` and `test/count`, and not `test/secret`.
struct CommandWorld : SshWorld {
    explicit CommandWorld(Loop& on) : SshWorld(on) {
        calls = true;
        call::Operation echo = operation("test/echo", "test:use");
        echo.run = give_back;
        EXPECT_TRUE(operations->add(std::move(echo)));
        call::Operation secret = operation("test/secret", "test:secret");
        secret.run = give_back;
        EXPECT_TRUE(operations->add(std::move(secret)));
        call::Operation counting = operation("test/count", "test:use");
        counting.kind = call::Operation::Kind::subscription;
        counting.subscribe = [](call::CallContext, Json, call::ItemSink& items) {
            return count(items);
        };
        EXPECT_TRUE(operations->add(std::move(counting)));
    }
};

const std::vector<std::string> kScopes = {"test:use"};

Bytes text_body(std::string_view text) {
    WireWriter out;
    put_text(out, text);
    return out.take();
}

task<result<ChannelId>> begin(TestClient& client, std::string command, bool terminal = false) {
    ALKNET_CO_TRY(const ChannelId id, client.channels.open("session", {}));
    ALKNET_CO_TRY(const Happened opened, co_await client.event());
    if (opened.kind != Kind::opened) {
        co_return fail(causes::kForbidden, opened.text);
    }
    if (terminal) {
        WireWriter body;
        put_text(body, "xterm");
        for (int i = 0; i < 4; ++i) {
            body.number<std::uint32_t>(10);
        }
        put_text(body, "");
        ALKNET_CO_CHECK(client.channels.request(id, "pty-req", false, body.view()));
    }
    if (command == "shell") {
        ALKNET_CO_CHECK(client.channels.request(id, "shell", false, {}));
    } else {
        ALKNET_CO_CHECK(client.channels.request(id, "exec", false, text_body(command)));
    }
    co_return id;
}

task<Said> until_closed(TestClient& client) {
    Said said;
    for (;;) {
        const auto event = co_await client.event();
        if (!event || event->kind == Kind::closed) {
            co_return said;
        }
        if (event->kind == Kind::data) {
            (event->code == kErrorData ? said.errors : said.plain) += event->text;
        } else if (event->kind == Kind::request && event->text == "exit-status") {
            said.status = WireReader(event->body).number<std::uint32_t>();
        }
    }
}

task<Said> run(TestClient& client, std::string command) {
    const auto id = co_await begin(client, std::move(command));
    EXPECT_TRUE(id);
    co_return co_await until_closed(client);
}

ALKNET_CO_TEST(SshCommand, AnswersWithoutAProgram) {
    CommandWorld world(loop);
    const auto client = world.client(kScopes);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const Said help = co_await run(*client, "help");
    EXPECT_THAT(help.plain, HasSubstr("call OPERATION"));
    EXPECT_EQ(help.status, 0U);
    const Said ops = co_await run(*client, "ops");
    EXPECT_THAT(ops.plain, HasSubstr("test/echo  query  for tests\n"));
    EXPECT_THAT(ops.plain, Not(HasSubstr("secret")));
    const Said called = co_await run(*client, "call test/echo {\"a\": 1}");
    EXPECT_EQ(called.plain, "{\"who\":\"bob\",\"input\":{\"a\":1}}\n");
    EXPECT_EQ(called.status, 0U);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshCommand, SaysWhatIsWrong) {
    CommandWorld world(loop);
    const auto client = world.client(kScopes);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const Said secret = co_await run(*client, "call test/secret");
    EXPECT_EQ(secret.status, 126U);
    EXPECT_THAT(secret.errors, HasSubstr("alknet: "));
    EXPECT_EQ((co_await run(*client, "call")).status, 2U);
    EXPECT_EQ((co_await run(*client, "call test/echo {")).status, 2U);
    EXPECT_NE((co_await run(*client, "call test/nothing")).status, 0U);
    const Said shell = co_await run(*client, "shell");
    EXPECT_EQ(shell.status, 126U);
    EXPECT_THAT(shell.errors, HasSubstr("`ssh NODE help`"));
    EXPECT_EQ((co_await run(*client, "uptime")).status, 126U);
    // Who may not call has no session at all, as where there are no operations.
    world.calls = false;
    EXPECT_FALSE(co_await begin(*client, "help"));
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshCommand, TakesItsInputFromTheClient) {
    CommandWorld world(loop);
    const auto client = world.client(kScopes);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const ChannelId id = (co_await begin(*client, "call test/echo -")).value();
    client->write(id, "{\"b\":");
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    client->write(id, " 2}");
    ALKNET_CO_ASSERT_OK(client->channels.finish(id));
    EXPECT_THAT((co_await until_closed(*client)).plain, HasSubstr("{\"b\":2}"));
    // With a limit.
    const ChannelId large = (co_await begin(*client, "call test/echo -")).value();
    for (std::size_t sent = 0; sent <= kNodeInputBytesMax; sent += 16 << 10) {
        client->write(large, std::string(16 << 10, ' '));
        ALKNET_CO_ASSERT_OK(co_await client->flush());
    }
    const Said said = co_await until_closed(*client);
    EXPECT_EQ(said.status, 1U);
    EXPECT_THAT(said.errors, HasSubstr("too large"));
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshCommand, ASubscriptionLastsUntilItsClientLeaves) {
    CommandWorld world(loop);
    const auto client = world.client(kScopes);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    for (const bool terminal : {false, true}) {
        const ChannelId id = (co_await begin(*client, "call test/count", terminal)).value();
        const std::string end = terminal ? "\r\n" : "\n";
        for (const std::string item : {"1", "2", "3"}) {
            auto event = (co_await client->event()).value();
            while (event.kind != Kind::data) {
                event = (co_await client->event()).value();
            }
            EXPECT_EQ(event.text, item + end);
        }
        if (terminal) {
            client->write(id, "\x03");
        } else {
            ALKNET_CO_ASSERT_OK(client->channels.close(id));
        }
        ALKNET_CO_ASSERT_OK(co_await client->flush());
        if (terminal) {
            (void)co_await until_closed(*client);
        }
    }
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshCommand, ASubscriptionEndsWithTheScope) {
    CommandWorld world(loop);
    const auto client = world.client(kScopes);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    ALKNET_CO_ASSERT(co_await begin(*client, "call test/count"));
    while ((co_await client->event()).value().kind != Kind::data) {
    }
    for (auto& [fingerprint, known] : world.identities->known) {
        known.scopes = {};
    }
    co_await world.adapter->recheck_identities();
    (void)co_await until_closed(*client);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshCommand, SessionsAndForwardsAreInTheTable) {
    CommandWorld world(loop);
    const auto client = world.client({"test:use", "ssh:connect", "ssh:listen"});
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const auto id = client->open("db", 5432);
    EXPECT_EQ((co_await client->event()).value().kind, Kind::opened);
    auto all = world.table->all();
    ALKNET_CO_ASSERT(all.size() == 2);
    EXPECT_EQ(all[0].peer, "bob");
    EXPECT_EQ(all[1].place, "db:5432");
    EXPECT_EQ(all[1].session, all[0].id);
    EXPECT_TRUE(world.table->close(all[1].id));
    EXPECT_EQ((co_await client->event()).value().kind, Kind::closed);
    ALKNET_CO_ASSERT_OK(client->channels.close(*id));
    EXPECT_EQ(world.table->all().size(), 1U);
    EXPECT_TRUE(world.table->close(all[0].id));
    EXPECT_FALSE(co_await client->event());
    client->end();
    co_await world.end();
    EXPECT_TRUE(world.table->all().empty());
}

}  // namespace
}  // namespace alknet::ssh
