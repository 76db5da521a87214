// What a session does for its commands and shells.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/rt/combine.hpp>
#include <utility>

#include "forward.hpp"
#include "session.hpp"

namespace alknet::ssh {

namespace {

using process::Process;
using process::ProcessFiles;
using process::ProcessOptions;
using process::RunAs;

constexpr std::string_view kNoPrograms =
    "this node gives no shell and runs no commands; forward with -L or -W, and ssh -N";
constexpr std::string_view kOnlyOperations =
    "this node gives no shell and runs no commands of yours; `ssh NODE help` tells what it answers";
constexpr std::string_view kPath = "/usr/local/bin:/usr/bin:/bin";
constexpr std::string_view kRootPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::string_view kShell = "/bin/sh";
constexpr mode_t kFileMask = 022;
// What a shell says of a command that it may not run.
constexpr std::uint32_t kCannotRun = 126;

std::vector<std::string> environment_of(const process::ProcessUser& user, std::string_view peer,
                                        const std::vector<Variable>& variables) {
    std::vector<std::string> all;
    const auto add = [&](std::string_view name, std::string_view value) {
        all.push_back(std::string(name) + "=" + std::string(value));
    };
    add("PATH", user.user == 0 ? kRootPath : kPath);
    add("HOME", user.home.empty() ? "/" : user.home);
    add("USER", user.name);
    add("LOGNAME", user.name);
    add("SHELL", user.shell.empty() ? kShell : user.shell);
    add("ALKNET_PEER", peer);
    const bool has_language =
        std::ranges::find(variables, "LANG", &Variable::name) != variables.end();
    if (!has_language) {
        add("LANG", "C.UTF-8");
    }
    for (const Variable& one : variables) {
        add(one.name, one.value);
    }
    return all;
}

}  // namespace

// Who may have none is told at once.
result<void> Session::take_program(ChannelId id) {
    if (no_more_programs_) {
        return fail(causes::kProtocol, "a session after no-more-sessions@openssh.com");
    }
    const bool possible = adapter_.options_.run_as && adapter_.options_.run_as().has_value();
    if (!possible && !may_call()) {
        return channels_.refuse(id, OpenFailure::prohibited, kNoPrograms);
    }
    auto program = std::make_unique<Program>();
    if (adapter_.options_.programs != nullptr) {
        auto place = adapter_.options_.programs->take(identity_->id);
        if (!place) {
            return channels_.refuse(id, OpenFailure::shortage, place.error().detail());
        }
        program->place = *std::move(place);
    }
    if (programs_ >= kProgramsMax) {
        return channels_.refuse(id, OpenFailure::shortage, "too many sessions");
    }
    ++programs_;
    auto forward = std::make_unique<Forward>();
    forward->id = id;
    forward->program = std::move(program);
    forwards_[id] = forward.get();
    tasks_->spawn(serve_program(std::move(forward)), "ssh.program");
    return channels_.accept(id);
}

result<void> Session::take_program_request(Forward& forward, const ChannelEvent& event) {
    Program& program = *forward.program;
    result<bool> done = false;
    if (event.type == "shell" || event.type == "exec") {
        done = take_start(forward, event);
    } else if (event.type == "signal") {
        ALKNET_TRY(const std::optional<int> number, parse_signal(event.body));
        done = number && program.process != nullptr;
        if (*done) {
            program.process->signal(*number);
        }
    } else if (event.type == "window-change") {
        ALKNET_TRY(const process::WindowSize window, parse_window(event.body));
        done = program.terminal.has_value();
        if (*done) {
            program.terminal->options.window = window;
            if (program.process != nullptr) {
                program.process->resize(window);
            }
        }
    } else {
        done = take_setting(program, event);
    }
    if (!done) {
        return unexpected(std::move(done).error());
    }
    return event.wants_reply ? channels_.answer(event.channel, *done) : result<void>();
}

// Whether it may run, and as whom, is found out later, and then said in words.
result<bool> Session::take_start(Forward& forward, const ChannelEvent& event) {
    Program& program = *forward.program;
    std::optional<std::string> command;
    if (event.type == "exec") {
        ALKNET_TRY(const auto given, parse_command(event.body));
        if (!given) {
            return false;
        }
        command = *given;
    }
    if (std::exchange(program.asked, true)) {
        return false;
    }
    if (certificate_ && certificate_->force_command) {
        program.original = std::exchange(command, certificate_->force_command);
    }
    program.command = std::move(command);
    program.decided.set();
    return true;
}

result<bool> Session::take_setting(Program& program, const ChannelEvent& event) {
    if (program.asked) {
        return false;
    }
    if (event.type == "pty-req") {
        ALKNET_TRY(TerminalRequest request, TerminalRequest::parse(event.body));
        if (certificate_ && !certificate_->may_have_terminal) {
            return false;
        }
        program.terminal = std::move(request);
        return true;
    }
    if (event.type == "auth-agent-req@openssh.com") {
        program.wants_agent = event.body.empty() && may_forward_agent().has_value();
        return program.wants_agent;
    }
    if (event.type == "env") {
        ALKNET_TRY(Variable variable, Variable::parse(event.body));
        if (!variable.may_pass() || program.variables.size() >= kVariablesMax) {
            return false;
        }
        std::erase_if(program.variables,
                      [&](const Variable& one) { return one.name == variable.name; });
        program.variables.push_back(std::move(variable));
        return true;
    }
    return false;
}

result<RunAs> Session::may_run(const Program& program) const {
    const auto run_as =
        adapter_.options_.run_as ? adapter_.options_.run_as() : std::optional<RunAs>();
    if (!run_as) {
        return fail(causes::kForbidden, std::string(kOnlyOperations));
    }
    const std::string_view scope = program.command ? kExecScope : kShellScope;
    ALKNET_CHECK(identity::require(*identity_, *identity::Scope::parse_exact(scope)));
    return *run_as;
}

task<void> Session::serve_program(std::unique_ptr<Forward> owned) {
    Forward& forward = *owned;
    const TaskContext context = co_await current_context();
    Cancel alive(context.cancel);
    forward.program->alive = &alive;
    if (!forward.closed_in) {  // before this has begun
        (void)co_await run_program(forward).under(alive);
    }
    forward.program->alive = nullptr;
    end_agent(*forward.program);
    --programs_;
    forwards_.erase(forward.id);
    check(channels_.close(forward.id));
}

task<result<void>> Session::run_program(Forward& forward) {
    Program& program = *forward.program;
    ALKNET_CO_CHECK(co_await program.decided.wait());
    forward.entry = note(SessionEntry::Kind::program, {}, [this, id = forward.id] {
        const auto found = forwards_.find(id);
        if (found != forwards_.end() && found->second->program != nullptr &&
            found->second->program->alive != nullptr) {
            found->second->program->alive->request();
        }
    });
    if (is_for_node(program)) {
        co_return co_await run_command(forward);
    }
    const auto started = co_await start_program(forward);
    if (!started) {
        co_return co_await refuse_program(forward, started.error());
    }
    result<void> ended = co_await join_program(forward);
    // It may not have ended yet: then nobody is there for it any more.
    forward.deaf = true;
    program.errors.reset();
    forward.stream.reset();
    Cancel nobody;
    co_await program.process->stop(kHangUpTime, SIGHUP).under(nobody);
    program.process.reset();
    co_return ended;
}

task<result<void>> Session::start_program(Forward& forward) {
    Program& program = *forward.program;
    ALKNET_CO_TRY(RunAs run_as, may_run(program));
    const process::ProcessUser& user = run_as.user;
    const std::string shell = user.shell.empty() ? std::string(kShell) : user.shell;
    const std::string name = shell.substr(shell.rfind('/') + 1);
    ProcessOptions options;
    options.command = {shell};
    options.called = program.command ? name : "-" + name;
    if (program.command) {
        options.command.insert(options.command.end(), {"-c", *program.command});
    }
    options.environment = environment_of(user, identity_->id, program.variables);
    if (program.original) {
        options.environment.push_back("SSH_ORIGINAL_COMMAND=" + *program.original);
    }
    options.directory = user.home.empty() ? "/" : user.home;
    options.root_will_do = true;
    options.file_mask = kFileMask;
    options.limits.files = kProgramFilesMax;
    if (!run_as.own) {
        options.user = user;
        options.limits.processes = kProgramProcessesMax;
    }
    options.files = ProcessFiles::pipes;
    if (program.terminal) {
        options.files = ProcessFiles::terminal;
        options.terminal = program.terminal->options;
        if (!program.terminal->term.empty()) {
            options.environment.push_back("TERM=" + program.terminal->term);
        }
    }
    program.run_as = std::move(run_as);
    if (program.wants_agent) {
        ALKNET_CO_CHECK(listen_for_agent(program));
        options.environment.push_back("SSH_AUTH_SOCK=" + program.agent->path);
    }
    ALKNET_CO_TRY(auto process, co_await Process::start(loop_, std::move(options)));
    // A scope or the user may have gone in the meantime.
    ALKNET_CO_TRY(const RunAs still, may_run(program));
    if (still != program.run_as) {
        co_return fail(causes::kForbidden, "commands run as somebody else now");
    }
    forward.stream = process->take_stream();
    program.errors = process->take_errors();
    if (program.terminal) {
        process->resize(program.terminal->options.window);  // it may have changed
    }
    program.process = std::move(process);
    forward.arrived.set();
    audit(program.command ? "ssh.exec" : "ssh.shell", nullptr);
    co_return result<void>();
}

// Until it has ended and all that it said has been sent, whenever the client takes that.
task<result<void>> Session::join_program(Forward& forward) {
    Program& program = *forward.program;
    const TaskContext context = co_await current_context();
    Cancel ended(context.cancel);
    program.ended = &ended;
    TaskScope input(loop_, context.cancel);
    TaskScope output(loop_, context.cancel);
    input.spawn(pump_input(forward), "ssh.input");
    output.spawn(pump_output(forward, *forward.stream, kPlainData), "ssh.output");
    if (program.errors != nullptr) {
        output.spawn(pump_output(forward, *program.errors, kErrorData), "ssh.errors");
    }
    const auto end = co_await program.process->wait();
    ended.request();
    input.cancel();
    (void)co_await input.join();
    forward.deaf = true;
    const auto sent = co_await output.join();
    program.ended = nullptr;
    if (!end) {
        co_return unexpected(end.error());
    }
    ALKNET_CO_CHECK(sent);
    co_return end_program(forward, end->signalled
                                       ? exit_signal(end->code)
                                       : exit_status(static_cast<std::uint32_t>(end->code)));
}

result<void> Session::end_program(Forward& forward, const ExitRequest& exit) {
    check(channels_.finish(forward.id));
    check(channels_.request(forward.id, exit.type, false, exit.body));
    return {};
}

void Session::drop_input(Forward& forward) {
    forward.deaf = true;
    done_with(forward, forward.left().size());
    forward.pending = Bytes();
    forward.pending_begin = 0;
}

// A program that does not read is no reason to end it.
task<result<void>> Session::pump_input(Forward& forward) {
    const auto ended = co_await pump_up(forward);
    if (!ended && !ended.error().is(errc::cancelled)) {
        drop_input(forward);
    }
    co_return result<void>();
}

task<result<void>> Session::pump_output(Forward& forward, ByteStream& from, std::uint32_t stream) {
    Cancel& ended = *forward.program->ended;
    for (;;) {
        ALKNET_CO_CHECK(co_await may_send(forward));
        result<void> ready;
        if (!ended.requested()) {
            ready = co_await from.readable().under(ended);
        }
        if (ended.requested()) {  // nothing new comes, but what is there may be much
            ready = co_await with_timeout(kLastWordsTime, from.readable());
        }
        if (!ready && ready.error().is(errc::timeout)) {
            co_return result<void>();
        }
        ALKNET_CO_CHECK(ready);
        const std::size_t size = sendable_now(forward);
        if (size == 0) {
            continue;
        }
        const auto got = from.try_read(channels_.begin(forward.id, size, stream));
        const std::size_t octets = got ? got->value_or(0) : 0;
        channels_.commit(forward.id, octets);
        flush();
        if (!got) {
            co_return unexpected(got.error());
        }
        if (*got && **got == 0) {
            co_return result<void>();
        }
    }
}

task<result<void>> Session::say(Forward& forward, std::string text, std::uint32_t stream) {
    BytesView left = as_bytes(text);
    while (!left.empty()) {
        ALKNET_CO_CHECK(co_await may_send(forward));
        const std::size_t size = std::min(sendable_now(forward), left.size());
        std::ranges::copy(left.first(size), channels_.begin(forward.id, size, stream).begin());
        channels_.commit(forward.id, size);
        flush();
        left = left.subspan(size);
    }
    co_return result<void>();
}

task<result<void>> Session::refuse_program(Forward& forward, error why) {
    drop_input(forward);
    if (why.is(errc::cancelled)) {
        co_return unexpected(std::move(why));
    }
    audit("ssh.program_refused", &why);
    adapter_.options_.log.warn(
        "ssh.program_refused",
        {{"peer", identity_->id}, {"id", why.cause().id}, {"detail", why.detail()}});
    ALKNET_CO_CHECK(co_await say(forward, "alknet: " + why.message() + "\r\n", kErrorData));
    co_return end_program(forward, exit_status(kCannotRun));
}

// One that has not started is asked for when it has.
void Session::recheck_program(Program& program) {
    if (program.caller && program.alive != nullptr) {
        if (!may_call() || call::has_ended(*program.caller, identity_)) {
            program.alive->request();
        }
        return;
    }
    if (program.process == nullptr || program.alive == nullptr) {
        return;
    }
    const auto may = may_run(program);
    if (may && *may == *program.run_as) {
        recheck_agent(program);
        return;
    }
    const error why =
        may ? error(causes::kForbidden, "commands run as somebody else now") : may.error();
    audit("ssh.program_refused", &why);
    program.alive->request();
}

}  // namespace alknet::ssh
