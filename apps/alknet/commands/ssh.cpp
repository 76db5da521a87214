// A command, or a shell, on an SSH server.
#include <alknet/base/causes.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/net/stdio_stream.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/signals.hpp>
#include <alknet/ssh/agent.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "client.hpp"
#include "commands.hpp"
#include "output.hpp"
#include "ssh/keys.hpp"
#include "ssh/terminal.hpp"
#include "ssh/way.hpp"

namespace alknet::app {

namespace {

constexpr std::size_t kErrorBytes = 32 << 10;
constexpr std::size_t kAgentConnectionsMax = 64;
/// What a command of ours ends with that never got so far as to run anything, as ssh does.
constexpr auto kNothingRan = static_cast<ExitCode>(255);

struct Run {
    const SshOptions& options;
    SshWishes wishes;
    std::unique_ptr<RawTerminal> terminal{};
    std::unique_ptr<Signals> resized{};
    std::optional<ssh::SshExit> exit{};
};

std::string command_of(const SshOptions& options) {
    std::string command;
    for (const std::string& word : options.command) {
        command += (command.empty() ? "" : " ") + word;
    }
    return command;
}

Bytes text_body(std::string_view text) {
    WireWriter out;
    out.text<std::uint32_t>(text);
    return out.take();
}

task<result<void>> show_errors(ssh::SshChannel& channel) {
    Bytes buffer(kErrorBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await channel.read_errors(buffer));
        if (size == 0) {
            co_return result<void>();
        }
        (void)std::fwrite(buffer.data(), 1, size, stderr);
    }
}

task<result<void>> follow_size(Run& run, ssh::SshChannel& channel) {
    for (;;) {
        ALKNET_CO_CHECK(co_await run.resized->next());
        ALKNET_CO_CHECK(channel.tell("window-change", run.terminal->window_change()));
    }
}

// The language and what goes with it, which a server may take or not.
void tell_language(ssh::SshChannel& channel) {
    for (const char* const name : {"LANG", "LC_ALL", "LC_CTYPE"}) {
        if (const char* const value = std::getenv(name); value != nullptr) {
            WireWriter body;
            body.text<std::uint32_t>(name);
            body.text<std::uint32_t>(value);
            (void)channel.tell("env", body.view());
        }
    }
}

task<result<void>> begin(Run& run, ssh::SshChannel& channel) {
    const bool wants_tty = run.options.tty || (run.options.command.empty() && !run.options.no_tty);
    tell_language(channel);
    if (run.options.agent) {
        ALKNET_CO_CHECK(co_await channel.request("auth-agent-req@openssh.com", {}));
    }
    if (wants_tty && stands_at_terminal()) {
        ALKNET_CO_TRY(run.terminal, RawTerminal::open());
        ALKNET_CO_CHECK(co_await channel.request("pty-req", run.terminal->pty_request()));
    } else if (run.options.tty) {
        ALKNET_CO_CHECK(co_await channel.request("pty-req", plain_pty_request()));
    }
    if (run.options.subsystem) {
        co_return co_await channel.request("subsystem", text_body(command_of(run.options)));
    }
    if (run.options.command.empty()) {
        co_return co_await channel.request("shell", {});
    }
    co_return co_await channel.request("exec", text_body(command_of(run.options)));
}

task<result<void>> carry(Run& run, Loop& loop, ssh::SshChannel& channel) {
    const TaskContext context = co_await current_context();
    ALKNET_CO_TRY(const auto stdio, net::make_stdio_stream(loop));
    TaskScope beside(loop, context.cancel);
    TaskScope errors(loop, context.cancel);
    if (run.terminal != nullptr) {
        beside.spawn(follow_size(run, channel), "ssh.size");
    }
    errors.spawn(show_errors(channel), "ssh.errors");
    auto joined = co_await channel.join(*stdio);
    if (joined) {
        joined = co_await errors.join();
    }
    if (joined) {
        joined = co_await channel.wait_closed();
    }
    beside.cancel();
    errors.cancel();
    (void)co_await beside.join();
    (void)co_await errors.join();
    if (!joined && joined.error().is(causes::kReset)) {
        co_return fail(causes::kOutputClosed);
    }
    co_return joined;
}

/// A program there that talks to the agent here.
task<void> serve_agent(Loop& loop, std::string path, std::shared_ptr<const ssh::AgentShare> share,
                       std::unique_ptr<ssh::SshArrival> arrival) {
    auto connected = net::connect_unix(loop, path);
    if (!connected) {
        arrival->refuse("the agent does not answer");
        co_return;
    }
    const auto channel = arrival->accept();
    if (channel) {
        ssh::Agent agent(std::move(connected->stream));
        (void)co_await ssh::share_agent(**channel, agent, *share);
    }
}

// The keys that were named, for what comes from this connection.
result<std::shared_ptr<const ssh::AgentShare>> share_of(const Run& run,
                                                        const ssh::SshClient& client) {
    std::vector<std::string> names = run.options.agent_keys;
    if (names.empty() && !run.wishes.identity.empty()) {
        names.push_back(run.wishes.identity.native());
    }
    if (names.empty()) {
        return fail(causes::kUsage, "-A: say with --agent-key which keys may be used there");
    }
    auto share = std::make_shared<ssh::AgentShare>();
    for (const std::string& name : names) {
        ALKNET_TRY(std::string key, ssh_key_named(name));
        share->keys.push_back(std::move(key));
    }
    share->binding = client.agent_binding();
    return share;
}

result<void> offer_agent(Run& run, ssh::SshClient& client, TaskScope& tasks) {
    const char* const path = std::getenv("SSH_AUTH_SOCK");
    if (!run.options.agent) {
        return {};
    }
    if (path == nullptr || *path == '\0') {
        return fail(causes::kUsage, "-A: $SSH_AUTH_SOCK names no agent");
    }
    ALKNET_TRY(const auto share, share_of(run, client));
    client.take_agent(
        [path = std::string(path), share, &tasks](std::unique_ptr<ssh::SshArrival> one) {
            if (tasks.size() < kAgentConnectionsMax) {
                tasks.spawn(serve_agent(tasks.loop(), path, share, std::move(one)), "ssh.agent");
            }
        });
    return {};
}

task<result<void>> run_there(Run& run, Client& client) {
    TaskScope agents(client.loop());
    ALKNET_CO_TRY(SshWay way, co_await dial_ssh(client, run.wishes));
    auto channel = co_await way.client().open_session();
    if (const auto offered = offer_agent(run, way.client(), agents); channel && !offered) {
        channel = unexpected(offered.error());
    }
    result<void> outcome = channel ? result<void>() : unexpected(channel.error());
    if (outcome) {
        outcome = co_await begin(run, **channel);
    }
    if (outcome) {
        outcome = co_await carry(run, client.loop(), **channel);
        run.exit = (*channel)->exit();
    }
    run.terminal.reset();
    if (channel) {
        channel->reset();
    }
    co_await way.close();
    agents.cancel();
    (void)co_await agents.join();
    co_return outcome;
}

ExitCode ended(const Run& run, const result<void>& outcome, const CommandLine& line) {
    if (run.exit && (outcome || !outcome.error().is(errc::cancelled))) {
        if (!run.exit->signal.empty()) {
            std::fprintf(stderr, "alknet: the command was ended by SIG%s\n",
                         run.exit->signal.c_str());
        }
        return static_cast<ExitCode>(run.exit->status & 0xFF);
    }
    if (outcome) {
        print_error(error(causes::kClosed, "without an exit status"), line.json);
    } else if (!outcome.error().is(causes::kOutputClosed) && !outcome.error().is(errc::cancelled)) {
        print_error(outcome.error(), line.json);
    } else {
        return exit_code(outcome.error());
    }
    return kNothingRan;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const SshOptions& options) {
    SshWishes wishes{.place = {}};
    ALKNET_TRY(wishes.place, SshPlace::parse(options.address));
    ALKNET_TRY(wishes.jumps, SshPlace::parse_jumps(options.jumps));
    wishes.dial = options.wishes;
    wishes.identity = line.identity;
    wishes.user = options.user;
    ALKNET_TRY(auto client, ssh_client(line, wishes));
    Run run{.options = options, .wishes = std::move(wishes)};
    // Before there is another thread, which would be told instead.
    ALKNET_TRY(run.resized, Signals::open(client->loop(), std::array{SIGWINCH}));
    const result<void> outcome = client->run(run_there(run, *client));
    return ended(run, outcome, line);
}

}  // namespace alknet::app
