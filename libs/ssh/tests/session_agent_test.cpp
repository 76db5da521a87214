// Programs that ask the client's agent: as another user, and so only where this runs as root.
#include <gmock/gmock.h>
#include <unistd.h>
#include <filesystem>
#include <functional>

#include "certificate_made.hpp"
#include "program_world.hpp"

namespace alknet::ssh {
namespace {

namespace fs = std::filesystem;
using Kind = ChannelEvent::Kind;
using testing::HasSubstr;

const std::vector<std::string> kAll = {"ssh:agent", "ssh:exec", "ssh:shell"};

constexpr std::string_view kAsk =
    "exec python3 -c 'import os,socket; s = socket.socket(socket.AF_UNIX); "
    "s.connect(os.environ[\"SSH_AUTH_SOCK\"]); s.sendall(b\"question\"); "
    "print(s.recv(99).decode())'";

class SshAgentForwarding : public SshProgram {
protected:
    /// Whether the node grants it.
    static task<bool> ask_for_agent(TestClient& client, ChannelId id) {
        EXPECT_TRUE(client.channels.request(id, "auth-agent-req@openssh.com", true, {}));
        for (;;) {
            const auto event = co_await client.event();
            EXPECT_TRUE(event);
            if (!event || event->kind == Kind::answered) {
                co_return event && event->code != 0;
            }
        }
    }
    static task<void> until_gone(TestClient& client, fs::path path) {
        co_await until(client, [&path] { return !fs::exists(path); });
    }
    /// What ends by itself has ended.
    static task<void> until(TestClient& client, std::function<bool()> ended) {
        while (!ended()) {
            WireWriter out = begin_message(Message::global_request);
            put_text(out, "is-it-gone@alknet");
            put_bool(out, true);
            EXPECT_TRUE(client.transport.send(out.view()));
            ALKNET_CO_ASSERT_OK(co_await client.message());
        }
    }
    static void run_as_nobody(SshWorld& world) {
        auto user = process::ProcessUser::find("nobody");
        EXPECT_TRUE(user);
        world.run_as = process::RunAs{.user = *std::move(user)};
        world.run_as->user.shell = "/bin/sh";
        world.run_as->user.home = "/";
    }
    static std::size_t sockets() {
        std::size_t count = 0;
        for (const auto& one : fs::directory_iterator("/proc/self/fd")) {
            std::error_code gone;
            count += fs::read_symlink(one.path(), gone).native().starts_with("socket:") ? 1 : 0;
        }
        return count;
    }
    static bool is_root() { return ::geteuid() == 0; }
    static fs::path path_in(std::string_view said) { return said.substr(0, said.find('\n')); }
};

TEST_F(SshAgentForwarding, IsForProgramsOfAnotherUserAlone) {
    run(
        [](SshWorld&, TestClient& client) -> task<void> {
            const ChannelId id = (co_await open(client)).value();
            EXPECT_FALSE(co_await ask_for_agent(client, id)) << "they run as the node does";
            ask(client, "exec", text_body("echo [$SSH_AUTH_SOCK]"));
            EXPECT_EQ((co_await hear(client, id)).value().plain, "[]\n");
        },
        kAll);
}

TEST_F(SshAgentForwarding, NeedsItsScope) {
    run([](SshWorld& world, TestClient& client) -> task<void> {
        run_as_nobody(world);
        const ChannelId id = (co_await open(client)).value();
        EXPECT_FALSE(co_await ask_for_agent(client, id));
    });
}

TEST_F(SshAgentForwarding, NeedsACertificateThatPermitsIt) {
    run([](SshWorld& world, TestClient&) -> task<void> {
        run_as_nobody(world);
        for (const bool permitted : {false, true}) {
            MadeCertificate made;
            made.after = 0;
            made.before = ~std::uint64_t{0};
            if (permitted) {
                made.extension("permit-agent-forwarding");
            }
            world.identities->known["cert:bob:" + made.authority->id().fingerprint()] = {
                .id = "bob", .scopes = kAll, .resources = {}};
            const auto client = world.client({});
            ALKNET_CO_ASSERT_OK(co_await client->connect());
            ALKNET_CO_ASSERT_OK(co_await client->ask_for_service());
            const auto answer =
                co_await client->log_in_as("bob", MadeCertificate::kType, made.blob(), made.user);
            EXPECT_EQ(answer.value(), Message::userauth_success);
            client->transport.set_authenticated();
            const ChannelId id = (co_await open(*client)).value();
            EXPECT_EQ(co_await ask_for_agent(*client, id), permitted);
            client->end();
        }
    });
}

TEST_F(SshAgentForwarding, JoinsWhoAsksToAChannel) {
    if (!is_root()) {
        return;
    }
    run(
        [](SshWorld& world, TestClient& client) -> task<void> {
            run_as_nobody(world);
            const ChannelId id = (co_await open(client)).value();
            EXPECT_TRUE(co_await ask_for_agent(client, id));
            ask(client, "exec", text_body(kAsk));
            Happened event = (co_await client.event()).value();
            while (event.kind != Kind::open) {
                event = (co_await client.event()).value();
            }
            EXPECT_EQ(event.text, "auth-agent@openssh.com");
            EXPECT_TRUE(event.body.empty());
            ALKNET_CO_ASSERT_OK(client.channels.accept(event.channel));
            const ChannelId agent = event.channel;
            std::string asked;
            while (asked != "question") {
                event = (co_await client.event()).value();
                asked += event.kind == Kind::data && event.channel == agent ? event.text : "";
            }
            client.write(agent, "answer");
            ALKNET_CO_ASSERT_OK(co_await client.flush());
            Said said;
            bool agent_closed = false;
            bool closed = false;
            while (!closed || !agent_closed) {
                event = (co_await client.event()).value();
                closed = closed || (event.kind == Kind::closed && event.channel == id);
                agent_closed =
                    agent_closed || (event.kind == Kind::closed && event.channel == agent);
                if (event.channel == id) {
                    take(event, said);
                }
            }
            EXPECT_EQ(said.plain, "answer\n") << said.errors;
        },
        kAll);
}

TEST_F(SshAgentForwarding, TheSocketIsTheUsersAloneAndGoesWithTheProgram) {
    if (!is_root()) {
        return;
    }
    run(
        [](SshWorld& world, TestClient& client) -> task<void> {
            run_as_nobody(world);
            const ChannelId id = (co_await open(client)).value();
            EXPECT_TRUE(co_await ask_for_agent(client, id));
            ask(client, "exec",
                text_body("echo $SSH_AUTH_SOCK; stat -c '%U %a' $SSH_AUTH_SOCK "
                          "$(dirname $SSH_AUTH_SOCK)"));
            const Said said = (co_await hear(client, id)).value();
            EXPECT_THAT(said.plain, HasSubstr("\nnobody 1600\nnobody 700\n")) << said.errors;
            const fs::path path = path_in(said.plain);
            EXPECT_TRUE(path.native().starts_with("/tmp/alknet-agent-")) << path;
            co_await until_gone(client, path.parent_path());
        },
        kAll);
}

TEST_F(SshAgentForwarding, IsNotForProgramsOfOthersWhoRunAsTheSameUser) {
    if (!is_root()) {
        return;
    }
    run(
        [](SshWorld& world, TestClient& client) -> task<void> {
            run_as_nobody(world);
            const ChannelId id = (co_await open(client)).value();
            EXPECT_TRUE(co_await ask_for_agent(client, id));
            ask(client, "exec", text_body("echo $SSH_AUTH_SOCK; cat"));
            const fs::path path = path_in(co_await first_words(client));
            const auto other = world.client({"ssh:exec"});
            ALKNET_CO_ASSERT_OK(co_await other->start());
            const ChannelId theirs = (co_await open(*other)).value();
            ask(*other, "exec",
                text_body("exec python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); "
                          "s.connect(\"" +
                          path.native() + "\"); print(len(s.recv(9)))'"));
            const Said said = (co_await hear(*other, theirs)).value();
            EXPECT_EQ(said.plain, "0\n") << said.errors;
            other->end();
            EXPECT_TRUE(client.channels.finish(id));
            EXPECT_EQ((co_await hear(client, id)).value().status, 0U);
        },
        kAll);
}

TEST_F(SshAgentForwarding, EndsWithTheProgramThoughTheClientHasNotAnswered) {
    if (!is_root()) {
        return;
    }
    run(
        [](SshWorld& world, TestClient& client) -> task<void> {
            run_as_nobody(world);
            const ChannelId first = (co_await open(client)).value();
            ask(client, "exec", text_body("true"));
            (void)co_await hear(client, first);  // a keeper is there from now on
            const std::size_t before = sockets();
            const ChannelId id = (co_await open(client)).value();
            EXPECT_TRUE(co_await ask_for_agent(client, id));
            ask(client, "exec",
                text_body("exec python3 -c 'import os,socket,sys\nall = []\nfor i in range(16):\n"
                          " all.append(socket.socket(socket.AF_UNIX))\n"
                          " all[-1].connect(os.environ[\"SSH_AUTH_SOCK\"])\n"
                          "sys.stdin.read()'"));
            for (int opened = 0; opened < 16;) {
                opened += (co_await client.event()).value().kind == Kind::open ? 1 : 0;
            }
            EXPECT_TRUE(client.channels.finish(id));
            ALKNET_CO_ASSERT_OK(co_await client.flush());
            while ((co_await client.event()).value().kind != Kind::closed) {
            }
            EXPECT_TRUE(client.channels.close(id));
            co_await until(client, [before] { return sockets() == before; });
        },
        kAll);
}

TEST_F(SshAgentForwarding, EndsWithItsScope) {
    if (!is_root()) {
        return;
    }
    run(
        [](SshWorld& world, TestClient& client) -> task<void> {
            run_as_nobody(world);
            const ChannelId id = (co_await open(client)).value();
            EXPECT_TRUE(co_await ask_for_agent(client, id));
            ask(client, "exec", text_body("echo $SSH_AUTH_SOCK; cat; test -e $SSH_AUTH_SOCK"));
            const fs::path path = path_in(co_await first_words(client));
            EXPECT_TRUE(fs::is_socket(path)) << path;
            world.identities->known.begin()->second.scopes = kExecAndShell;
            co_await world.adapter->recheck_identities();
            co_await until_gone(client, path);
            EXPECT_TRUE(client.channels.finish(id));
            EXPECT_EQ((co_await hear(client, id)).value().status, 1U) << "the program goes on";
        },
        kAll);
}

}  // namespace
}  // namespace alknet::ssh
