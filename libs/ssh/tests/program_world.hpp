// Commands and shells over SSH: real programs on a real loop, which run as this process does.
#pragma once

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <alknet/base/number.hpp>
#include <alknet/process/process.hpp>
#include <alknet/testing/programs.hpp>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "program_request.hpp"
#include "session_world.hpp"

namespace alknet::ssh {

inline const std::vector<std::string> kExecAndShell = {"ssh:exec", "ssh:shell"};

/// What a channel has said until it was closed.
struct Said {
    std::string plain;
    std::string errors;
    std::string exit;  // the request's type
    std::uint32_t status = 0;
    std::string signal;
    bool eof = false;
    bool answered = false;
};

class SshProgram : public testing::Test {
protected:
    SshProgram() { std::signal(SIGPIPE, SIG_IGN); }

    using Body = task<void> (*)(SshWorld& world, TestClient& client);
    /// `body` with a client that has logged in; in less than a minute.
    void run(Body body, std::vector<std::string> scopes = kExecAndShell) {
        block_on(*loop, serve(*loop, body, std::move(scopes)));
    }
    static task<void> serve(Loop& loop, Body body, std::vector<std::string> scopes) {
        SshWorld world(loop);
        world.run_as = process::RunAs{.user = process::ProcessUser::current(), .own = true};
        world.run_as->user.shell = "/bin/sh";
        world.run_as->user.home = "/";
        const auto client = world.client(std::move(scopes));
        ALKNET_CO_ASSERT_OK(co_await client->start());
        const auto ended =
            co_await with_timeout(std::chrono::seconds(60), as_result(body(world, *client)));
        EXPECT_TRUE(ended);
        client->end();
        co_await world.end();
    }
    static task<result<void>> as_result(task<void> work) {
        co_await std::move(work);
        co_return result<void>();
    }

    static task<result<ChannelId>> open(TestClient& client) {
        ALKNET_CO_TRY(const ChannelId id, client.channels.open("session", {}));
        ALKNET_CO_TRY(const Happened opened, co_await client.event());
        if (opened.kind != ChannelEvent::Kind::opened) {
            co_return fail(causes::kForbidden, opened.text);
        }
        co_return id;
    }
    static void ask(TestClient& client, std::string_view type, BytesView body) {
        WireWriter out = begin_message(Message::channel_request);
        out.number<std::uint32_t>(0);  // the first channel's number there
        put_text(out, type);
        put_bool(out, false);
        out.append(body);
        EXPECT_TRUE(client.transport.send(out.view()));
    }
    static Bytes text_body(std::string_view text) {
        WireWriter out;
        put_text(out, text);
        return out.take();
    }
    static void set(TestClient& client, std::string_view name, std::string_view value) {
        WireWriter out;
        put_text(out, name);
        put_text(out, value);
        ask(client, "env", out.view());
    }
    static void ask_for_terminal(TestClient& client, std::string_view term) {
        WireWriter out;
        put_text(out, term);
        for (const std::uint32_t size : {100U, 30U, 0U, 0U}) {
            out.number(size);
        }
        put_string(out, {});
        ask(client, "pty-req", out.view());
    }
    static task<result<ChannelId>> execute(TestClient& client, std::string_view command) {
        ALKNET_CO_TRY(const ChannelId id, co_await open(client));
        ask(client, "exec", text_body(command));
        co_return id;
    }
    static void take(const Happened& event, Said& said) {
        if (event.kind == ChannelEvent::Kind::data) {
            (event.code == kErrorData ? said.errors : said.plain) += event.text;
        } else if (event.kind == ChannelEvent::Kind::eof) {
            said.eof = true;
        } else if (event.kind == ChannelEvent::Kind::request) {
            said.exit = event.text;
            WireReader in(event.body);
            if (event.text == "exit-status") {
                said.status = in.number<std::uint32_t>();
            } else {
                said.signal = take_text(in);
            }
        }
    }
    /// Gives back what the window has taken.
    static task<result<Said>> hear(TestClient& client, ChannelId id) {
        Said said;
        for (;;) {
            ALKNET_CO_TRY(const Happened event, co_await client.event());
            take(event, said);
            if (event.kind == ChannelEvent::Kind::data) {
                ALKNET_CO_CHECK(client.channels.consumed(id, event.text.size()));
            }
            if (event.kind == ChannelEvent::Kind::closed) {
                ALKNET_CO_CHECK(client.channels.close(id));
                ALKNET_CO_CHECK(co_await client.flush());
                co_return said;
            }
        }
    }
    static task<Said> said_by(TestClient& client, std::string_view command) {
        const auto id = co_await execute(client, command);
        EXPECT_TRUE(id);
        auto said = co_await hear(client, *id);
        EXPECT_TRUE(said);
        co_return said ? *std::move(said) : Said();
    }
    /// Until it has said something, which is given.
    static task<std::string> first_words(TestClient& client) {
        for (;;) {
            const auto event = co_await client.event();
            if (!event || event->kind == ChannelEvent::Kind::closed) {
                co_return "";
            }
            if (event->kind == ChannelEvent::Kind::data) {
                co_return event->text;
            }
        }
    }
    static pid_t id_of(std::string_view said) {
        const std::string_view digits = said.substr(0, said.find_first_not_of("0123456789"));
        return parse_number<pid_t>(digits).value_or(0);
    }
    static bool is_running(std::string_view said) { return sim::is_running(id_of(said)); }

    static task<result<void>> end_of(Loop& loop, std::string_view said) {
        const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, id_of(said), 0)));
        if (!process) {
            co_return result<void>();
        }
        FdReadiness readiness(loop);
        ALKNET_CO_CHECK(readiness.watch(process.get()));
        pollfd state{.fd = process.get(), .events = POLLIN, .revents = 0};
        while (poll(&state, 1, 0) == 0) {
            readiness.would_block_reading();
            ALKNET_CO_CHECK(co_await readiness.readable());
        }
        co_return result<void>();
    }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
};

}  // namespace alknet::ssh
