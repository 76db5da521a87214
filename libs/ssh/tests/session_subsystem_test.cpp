// What a channel leads to in the place of a command.
#include <gmock/gmock.h>

#include "certificate_made.hpp"
#include "session_world.hpp"

namespace alknet::ssh {
namespace {

using Kind = ChannelEvent::Kind;
using testing::HasSubstr;

/// What a channel has said until it was closed.
struct Said {
    std::string plain;
    std::string errors;
    std::uint32_t status = 99;
    bool refused = false;
};

/// Gives back what it is told, to the end.
task<result<void>> echo(ByteStream& stream, Identity identity) {
    ALKNET_CO_CHECK(co_await stream.write(as_bytes(identity.id + ":")));
    Bytes buffer(4096);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
        if (size == 0) {
            co_return result<void>();
        }
        ALKNET_CO_CHECK(co_await stream.write(BytesView(buffer).first(size)));
    }
}

struct SubsystemWorld : SshWorld {
    explicit SubsystemWorld(Loop& on) : SshWorld(on) {
        subsystems->by_name["echo"] = {.scope = "test:echo", .serve = echo};
        subsystems->by_name["breaks"] = {
            .scope = "test:echo", .serve = [](ByteStream& stream, Identity) -> task<result<void>> {
                return breaks(stream);
            }};
    }
    static task<result<void>> breaks(ByteStream& stream) {
        ALKNET_CO_CHECK(co_await stream.write(as_bytes("so far")));
        co_return fail(causes::kIo, "the disk\nis full");
    }
};

bool stands_in_audit(const SshWorld& world, std::string_view event) {
    return std::ranges::find(world.audit->entries, event, &AuditEntry::event) !=
           world.audit->entries.end();
}

task<result<ChannelId>> begin(TestClient& client, std::string_view name) {
    ALKNET_CO_TRY(const ChannelId id, client.channels.open("session", {}));
    ALKNET_CO_TRY(const Happened opened, co_await client.event());
    if (opened.kind != Kind::opened) {
        co_return fail(causes::kForbidden, opened.text);
    }
    WireWriter body;
    put_text(body, name);
    ALKNET_CO_CHECK(client.channels.request(id, "subsystem", true, body.view()));
    ALKNET_CO_TRY(const Happened answered, co_await client.event());
    EXPECT_EQ(answered.kind, Kind::answered);
    if (answered.code == 0) {
        co_return fail(causes::kForbidden, "subsystem");
    }
    co_return id;
}

/// Gives back what the window has taken.
task<Said> until_closed(TestClient& client, ChannelId id) {
    Said said;
    for (;;) {
        const auto event = co_await client.event();
        if (!event || event->kind == Kind::closed) {
            co_return said;
        }
        if (event->kind == Kind::data) {
            (event->code == kErrorData ? said.errors : said.plain) += event->text;
            EXPECT_TRUE(client.channels.consumed(id, event->text.size()));
        } else if (event->kind == Kind::request && event->text == "exit-status") {
            said.status = WireReader(event->body).number<std::uint32_t>();
        }
    }
}

ALKNET_CO_TEST(SshSubsystem, IsServedInTheNode) {
    SubsystemWorld world(loop);
    const auto client = world.client({"test:echo"});
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const auto id = co_await begin(*client, "echo");
    ALKNET_CO_ASSERT_OK(id);
    client->write(*id, "hello");
    EXPECT_TRUE(client->channels.finish(*id));
    const Said said = co_await until_closed(*client, *id);
    EXPECT_EQ(said.plain, "bob:hello");
    EXPECT_EQ(said.errors, "");
    EXPECT_EQ(said.status, 0U);
    EXPECT_TRUE(stands_in_audit(world, "ssh.subsystem"));
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSubsystem, TakesMoreThanAWindowAndItsStreamHold) {
    SubsystemWorld world(loop);
    const auto client = world.client({"test:echo"});
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const auto id = co_await begin(*client, "echo");
    ALKNET_CO_ASSERT_OK(id);
    const std::string piece(32 << 10, 'x');
    constexpr std::size_t kAll = 3 * kWindowBytes;
    std::size_t sent = 0;
    std::size_t came = 0;
    while (came < kAll + 4) {
        while (sent < kAll && client->channels.sendable(*id) >= piece.size()) {
            client->write(*id, piece);
            sent += piece.size();
        }
        const auto event = co_await client->event();
        ALKNET_CO_ASSERT_OK(event);
        if (event->kind == Kind::data) {
            came += event->text.size();
            EXPECT_TRUE(client->channels.consumed(*id, event->text.size()));
        }
    }
    EXPECT_TRUE(client->channels.finish(*id));
    EXPECT_EQ((co_await until_closed(*client, *id)).status, 0U);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSubsystem, OneThatFailsSaysWhy) {
    SubsystemWorld world(loop);
    const auto client = world.client({"test:echo"});
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const auto id = co_await begin(*client, "breaks");
    ALKNET_CO_ASSERT_OK(id);
    const Said said = co_await until_closed(*client, *id);
    EXPECT_EQ(said.plain, "so far");
    EXPECT_THAT(said.errors, HasSubstr("the disk?is full"));
    EXPECT_EQ(said.status, 1U);
    client->end();
    co_await world.end();
}

// Whoever may use none of them is given no session for one.
ALKNET_CO_TEST(SshSubsystem, NeedsItsScope) {
    SubsystemWorld world(loop);
    world.subsystems->by_name["other"] = {.scope = "test:other", .serve = echo};
    const auto stranger = world.client({"test:nothing"});
    ALKNET_CO_ASSERT_OK(co_await stranger->start());
    EXPECT_FALSE(co_await begin(*stranger, "echo"));
    stranger->end();
    const auto client = world.client({"test:other"});
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const auto id = co_await begin(*client, "echo");
    ALKNET_CO_ASSERT_OK(id);
    const Said said = co_await until_closed(*client, *id);
    EXPECT_THAT(said.errors, HasSubstr("test:echo"));
    EXPECT_EQ(said.status, 126U);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSubsystem, OneThatIsNotThereIsRefusedAndAnotherMayBeAskedFor) {
    SubsystemWorld world(loop);
    const auto client = world.client({"test:echo"});
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const auto id = client->channels.open("session", {});
    ALKNET_CO_ASSERT_OK(id);
    EXPECT_EQ((co_await client->event()).value().kind, Kind::opened);
    for (const auto& [name, is_there] :
         {std::pair("sftp", false), std::pair("echo", true), std::pair("echo", false)}) {
        WireWriter body;
        put_text(body, name);
        EXPECT_TRUE(client->channels.request(*id, "subsystem", true, body.view()));
        auto event = (co_await client->event()).value();
        while (event.kind != Kind::answered) {
            event = (co_await client->event()).value();
        }
        EXPECT_EQ(event.code == 1, is_there) << name;
    }
    EXPECT_TRUE(stands_in_audit(world, "ssh.program_refused"));
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSubsystem, EndsWithItsScopeAndItsChannel) {
    SubsystemWorld world(loop);
    for (const bool scope_goes : {true, false}) {
        const auto client = world.client({"test:echo"});
        ALKNET_CO_ASSERT_OK(co_await client->start());
        const auto id = co_await begin(*client, "echo");
        ALKNET_CO_ASSERT_OK(id);
        EXPECT_EQ((co_await client->event()).value().text, "bob:");
        if (scope_goes) {
            world.identities->known[client->key->id().fingerprint()].scopes = {"test:other"};
            co_await world.adapter->recheck_identities();
            EXPECT_EQ((co_await client->event()).value().kind, Kind::closed);
        } else {
            ALKNET_CO_ASSERT_OK(client->channels.close(*id));
            ALKNET_CO_ASSERT_OK(co_await client->flush());
            co_await loop.yield();
        }
        client->end();
    }
    co_await world.end();
}

ALKNET_CO_TEST(SshSubsystem, ACertificateForACommandAloneHasNone) {
    SubsystemWorld world(loop);
    MadeCertificate made;
    made.after = 0;
    made.before = ~std::uint64_t{0};
    made.option("force-command", "uptime");
    world.identities->known["cert:bob:" + made.authority->id().fingerprint()] = {
        .id = "bob", .scopes = {"test:echo"}, .resources = {}};
    const auto client = world.client({});
    ALKNET_CO_ASSERT_OK(co_await client->connect());
    ALKNET_CO_ASSERT_OK(co_await client->ask_for_service());
    const auto answer =
        co_await client->log_in_as("bob", MadeCertificate::kType, made.blob(), made.user);
    EXPECT_EQ(answer.value(), Message::userauth_success);
    client->transport.set_authenticated();
    EXPECT_FALSE(co_await begin(*client, "echo"));
    client->end();
    co_await world.end();
}

}  // namespace
}  // namespace alknet::ssh
