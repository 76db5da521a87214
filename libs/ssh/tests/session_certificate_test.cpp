// Who logs in with a certificate, and what becomes of him.
#include <gmock/gmock.h>
#include <ranges>

#include "certificate_made.hpp"
#include "program_world.hpp"

namespace alknet::ssh {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

const SocketAddress kHere = SocketAddress::v4({192, 0, 2, 1}, 1);

/// One that holds for as long as the tests' clocks run.
MadeCertificate made_now() {
    MadeCertificate made;
    made.after = 0;
    made.before = ~std::uint64_t{0};
    return made;
}

/// The authority's word for `bob` is bob's.
void believe(SshWorld& world, const MadeCertificate& made, std::vector<std::string> scopes) {
    world.identities->known["cert:bob:" + made.authority->id().fingerprint()] = {
        .id = "bob", .scopes = std::move(scopes), .resources = {}};
}

task<result<Message>> log_in(TestClient& client, const MadeCertificate& made,
                             std::string user = "bob") {
    ALKNET_CO_CHECK(co_await client.connect());
    ALKNET_CO_CHECK(co_await client.ask_for_service());
    ALKNET_CO_TRY(
        const Message answer,
        co_await client.log_in_as(std::move(user), MadeCertificate::kType, made.blob(), made.user));
    if (answer == Message::userauth_success) {
        client.transport.set_authenticated();
    }
    co_return answer;
}

/// Whether the certificate lets somebody in who comes from there.
task<bool> lets_in(SshWorld& world, const MadeCertificate& made, std::string user = "bob",
                   SocketAddress from = kHere) {
    const auto client = world.client({}, from);
    const auto answer = co_await log_in(*client, made, std::move(user));
    client->end();
    EXPECT_TRUE(answer);
    co_return answer && *answer == Message::userauth_success;
}

std::uint64_t now_on(const Loop& loop) {
    const auto since = loop.wall_now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(since).count());
}

ALKNET_CO_TEST(SshCertified, LogsInWhomTheAuthorityNames) {
    SshWorld world(loop);
    MadeCertificate made = made_now();
    EXPECT_FALSE(co_await lets_in(world, made)) << "an authority that nobody believes";
    believe(world, made, {});
    EXPECT_TRUE(co_await lets_in(world, made));
    EXPECT_FALSE(co_await lets_in(world, made, "alknet")) << "not among its principals";
    made.principals = {"alice"};
    EXPECT_FALSE(co_await lets_in(world, made, "alice")) << "not whom it is believed about";
    co_await world.end();
}

ALKNET_CO_TEST(SshCertified, IsHeldToItsTimeAndPlace) {
    SshWorld world(loop);
    MadeCertificate made = made_now();
    believe(world, made, {});
    made.after = now_on(loop) + 1;
    EXPECT_FALSE(co_await lets_in(world, made));
    made.after -= 1;
    EXPECT_TRUE(co_await lets_in(world, made));
    made.before = made.after;
    EXPECT_FALSE(co_await lets_in(world, made));
    made = made_now();
    believe(world, made, {});
    made.option("source-address", "192.0.2.0/24,2001:db8::/32");
    EXPECT_TRUE(co_await lets_in(world, made));
    EXPECT_FALSE(co_await lets_in(world, made, "bob", SocketAddress::v4({192, 0, 3, 1}, 1)));
    EXPECT_FALSE(co_await lets_in(world, made, "bob", {})) << "from nobody knows where";
    co_await world.end();
}

ALKNET_CO_TEST(SshCertified, IsWorthNothingForAKeyThatWasRevoked) {
    SshWorld world(loop);
    MadeCertificate made = made_now();
    believe(world, made, {});
    const auto client = world.client({});
    EXPECT_EQ((co_await log_in(*client, made)).value(), Message::userauth_success);
    world.revoked = {made.user->id().fingerprint()};
    EXPECT_FALSE(co_await lets_in(world, made));
    co_await world.adapter->recheck_identities();
    const auto ended = co_await client->event();
    EXPECT_FALSE(ended) << "a session that there is ends";
    co_await world.end();
}

ALKNET_CO_TEST(SshCertified, EndsWhenAPeerIsDisabledOrItsTimeIsOver) {
    SshWorld world(loop);
    MadeCertificate made = made_now();
    believe(world, made, {});
    const auto first = world.client({});
    EXPECT_EQ((co_await log_in(*first, made)).value(), Message::userauth_success);
    world.identities->known.erase("cert:bob:" + made.authority->id().fingerprint());
    co_await world.adapter->recheck_identities();
    EXPECT_FALSE(co_await first->event());
    believe(world, made, {});
    made.before = now_on(loop) + 10;
    const auto second = world.client({});
    EXPECT_EQ((co_await log_in(*second, made)).value(), Message::userauth_success);
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(std::chrono::seconds(10)));
    co_await world.adapter->recheck_identities();
    EXPECT_FALSE(co_await second->event());
    co_await world.end();
}

ALKNET_CO_TEST(SshCertified, StandsInTheAuditLog) {
    SshWorld world(loop);
    MadeCertificate made = made_now();
    believe(world, made, {});
    EXPECT_TRUE(co_await lets_in(world, made));
    const auto login = std::ranges::find(world.audit->entries, "ssh.login", &AuditEntry::event);
    ALKNET_CO_ASSERT(login != world.audit->entries.end());
    EXPECT_EQ(login->peer, "bob");
    EXPECT_EQ(login->fingerprint, "cert:bob:" + made.authority->id().fingerprint());
    EXPECT_THAT(login->more, Contains(Pair("certificate", "the words")));
    EXPECT_THAT(login->more, Contains(Pair("serial", "7")));
    EXPECT_THAT(login->more, Contains(Pair("certified", made.user->id().fingerprint())));
    co_await world.end();
}

ALKNET_CO_TEST(SshCertified, ForwardsOnlyWhereItSaysSo) {
    SshWorld world(loop);
    MadeCertificate made = made_now();
    believe(world, made, {"ssh:connect", "ssh:listen"});
    const auto without = world.client({});
    EXPECT_EQ((co_await log_in(*without, made)).value(), Message::userauth_success);
    EXPECT_TRUE(without->open("db", 5432));
    const auto refused = (co_await without->event()).value();
    EXPECT_EQ(refused.kind, ChannelEvent::Kind::refused);
    EXPECT_EQ(refused.code, static_cast<std::uint32_t>(OpenFailure::prohibited));
    EXPECT_THAT(refused.text, HasSubstr("the certificate does not permit"));
    EXPECT_EQ(world.network->resolved, 0U);
    WireWriter listen = begin_message(Message::global_request);
    put_text(listen, "tcpip-forward");
    put_bool(listen, true);
    put_text(listen, "localhost");
    listen.number<std::uint32_t>(8080);
    EXPECT_TRUE(without->transport.send(listen.view()));
    EXPECT_EQ(message_of((co_await without->message()).value()), Message::request_failure);
    without->end();
    made.extension("permit-port-forwarding");
    const auto with = world.client({});
    EXPECT_EQ((co_await log_in(*with, made)).value(), Message::userauth_success);
    EXPECT_TRUE(with->open("db", 5432));
    EXPECT_EQ((co_await with->event()).value().kind, ChannelEvent::Kind::opened);
    with->end();
    co_await world.end();
}

class SshCertifiedProgram : public SshProgram {};

TEST_F(SshCertifiedProgram, RunsWhatItSaysAndNothingElse) {
    run([](SshWorld& world, TestClient&) -> task<void> {
        MadeCertificate made = made_now();
        made.option("force-command", "echo forced; echo \"$SSH_ORIGINAL_COMMAND\"; test -t 0");
        believe(world, made, kExecAndShell);
        for (const bool shell : {false, true}) {
            const auto client = world.client({});
            EXPECT_EQ((co_await log_in(*client, made)).value(), Message::userauth_success);
            const ChannelId id = (co_await open(*client)).value();
            ask_for_terminal(*client, "xterm");
            ask(*client, shell ? "shell" : "exec", shell ? Bytes() : text_body("cat /etc/shadow"));
            const Said said = (co_await hear(*client, id)).value();
            EXPECT_EQ(said.plain, shell ? "forced\n\n" : "forced\ncat /etc/shadow\n");
            EXPECT_EQ(said.status, 1U) << "a terminal, which is not permitted";
            client->end();
        }
        // As a command, for which a shell's scope is not enough.
        believe(world, made, {"ssh:shell"});
        const auto client = world.client({});
        EXPECT_EQ((co_await log_in(*client, made)).value(), Message::userauth_success);
        const ChannelId id = (co_await open(*client)).value();
        ask(*client, "shell", {});
        EXPECT_THAT((co_await hear(*client, id)).value().errors, HasSubstr("ssh:exec"));
        client->end();
    });
}

TEST_F(SshCertifiedProgram, HasATerminalWhereItSaysSo) {
    run([](SshWorld& world, TestClient&) -> task<void> {
        MadeCertificate made = made_now();
        made.extension("permit-pty");
        believe(world, made, kExecAndShell);
        const auto client = world.client({});
        EXPECT_EQ((co_await log_in(*client, made)).value(), Message::userauth_success);
        const ChannelId id = (co_await open(*client)).value();
        ask_for_terminal(*client, "xterm");
        ask(*client, "exec", text_body("test -t 0"));
        EXPECT_EQ((co_await hear(*client, id)).value().status, 0U);
        client->end();
    });
}

}  // namespace
}  // namespace alknet::ssh
