#include "program_run.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <cstdlib>

namespace alknet::exec {

namespace {

constexpr std::string_view kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kBacklog = 128;
/// What the program said last is worth a little patience.
constexpr Duration kLastWords = std::chrono::seconds(1);
constexpr std::size_t kOutputBytes = 16 << 10;
/// Faster than this its output is not read: it waits, and not the node.
constexpr std::size_t kOutputBytesPerStep = 64 << 10;
constexpr Duration kOutputStep = std::chrono::milliseconds(100);

std::string value_of(const std::vector<std::string>& environment, std::string_view name) {
    for (const std::string& one : environment) {
        if (one.starts_with(name) && one.size() > name.size() && one[name.size()] == '=') {
            return one;
        }
    }
    return {};
}

// A socket that an earlier life left behind, perhaps with somebody who still listens.
void remove_socket(const std::filesystem::path& path) {
    struct stat status{};
    if (lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) {
        (void)unlink(path.c_str());
    }
}

ProcessLimits limits_of(const config::Program& program) {
    ProcessLimits limits{.data_bytes = program.memory_max, .files = program.files_max};
    if (program.address_space_max != 0) {
        limits.address_bytes = program.address_space_max;
    }
    // It counts the processes of the user, and those of the node's are not the program's.
    if (!program.as_node) {
        limits.processes = program.processes_max;
    }
    return limits;
}

const char* own_variable(const char* name) {
    return ::getenv(name);
}

}  // namespace

result<std::optional<ProcessUser>> user_of(const config::Program& program) {
    if (program.as_node) {
        return std::nullopt;
    }
    ALKNET_TRY(ProcessUser user, ProcessUser::find(program.user));
    if (user.user == ::geteuid()) {
        return fail(causes::kProgramUser,
                    "exec." + program.name + ": " + program.user + " is the node's own user");
    }
    if (::geteuid() != 0) {
        return fail(causes::kProgramUser,
                    "exec." + program.name +
                        ": the node itself is not root, and cannot start it as " + program.user);
    }
    return user;
}

std::vector<std::string> environment_of(const config::Program& program, const ProcessUser& user,
                                        const std::function<const char*(const char* name)>& own) {
    std::vector<std::string> all;
    for (const std::string& one : program.environment) {
        if (one.find('=') != std::string::npos) {
            all.push_back(one);
        } else if (const char* value = own(one.c_str()); value != nullptr) {
            all.push_back(one + "=" + value);
        }
    }
    const auto add = [&](std::string_view name, std::string_view value) {
        if (value_of(all, name).empty()) {
            all.push_back(std::string(name) + "=" + std::string(value));
        }
    };
    add("PATH", kPath);
    add("LANG", "C.UTF-8");
    add("HOME", user.home.empty() ? "/" : user.home);
    add("USER", user.name);
    add("LOGNAME", user.name);
    add("LISTEN_FDS", "1");
    add("LISTEN_FDNAMES", program.name);
    return all;
}

task<result<std::unique_ptr<Running>>> ProgramRun::start(
    Loop& loop, std::shared_ptr<const ProgramRunOptions> options) {
    const config::Program& program = options->program;
    const ProcessUser user = options->user ? *options->user : ProcessUser::current();
    remove_socket(options->door->socket());
    ProcessOptions process{.command = program.command,
                           .environment = environment_of(program, user, own_variable),
                           .directory = program.directory,
                           .user = options->user,
                           .limits = limits_of(program)};
    ALKNET_CO_TRY(process.socket, net::bind_unix(options->door->socket(), kBacklog));
    ALKNET_CO_TRY(auto started, co_await Process::start(loop, std::move(process)));
    co_return std::make_unique<ProgramRun>(loop, std::move(options), std::move(started));
}

ProgramRun::ProgramRun(Loop& loop, std::shared_ptr<const ProgramRunOptions> options,
                       std::unique_ptr<Process> process)
    : loop_(loop),
      options_(std::move(options)),
      process_(std::move(process)),
      lines_([this](std::string_view line) {
          options_->log.info("exec.output", {{"program", options_->program.name}, {"line", line}});
      }),
      speaking_(loop) {
    options_->door->open();
    speaking_.spawn(log_output(), "exec.output");
}

ProgramRun::~ProgramRun() {
    options_->door->close();
}

task<void> ProgramRun::stop() {
    options_->door->close();
    co_await process_->stop(options_->program.stop_timeout);
    remove_socket(options_->door->socket());
    (void)co_await with_timeout(kLastWords, speaking_.idle());
    speaking_.cancel();
    (void)co_await speaking_.join();
}

void ProgramRun::tell_dropped() {
    if (const std::uint64_t dropped = lines_.take_dropped(); dropped > 0) {
        options_->log.warn("exec.output_dropped",
                           {{"program", options_->program.name}, {"lines", dropped}});
    }
}

task<void> ProgramRun::log_output() {
    std::vector<std::byte> buffer(kOutputBytes);
    TimePoint step = loop_.now();
    std::size_t in_step = 0;
    for (;;) {
        const auto size = co_await process_->read_output(buffer);
        if (!size || *size == 0) {
            break;
        }
        lines_.push(BytesView(buffer).first(*size), loop_.now());
        in_step += *size;
        if (loop_.now() - step >= kOutputStep) {
            step = loop_.now();
            in_step = 0;
            tell_dropped();
        } else if (in_step >= kOutputBytesPerStep && !co_await loop_.sleep(kOutputStep)) {
            break;
        }
    }
    lines_.end(loop_.now());
    tell_dropped();
}

// What the process says of its end is more than what its connection does.
task<result<std::string>> ProgramRun::after_session(result<void> session) {
    if (!session && session.error().is(errc::cancelled)) {
        co_return unexpected(std::move(session).error());
    }
    const auto end = co_await with_timeout(kLastWords, process_->wait());
    if (end) {
        co_return end->text();
    }
    co_return session ? std::string("it closed its connection") : session.error().message();
}

task<result<std::string>> ProgramRun::ended() {
    std::optional<result<ProcessEnd>> end;
    if (options_->session) {
        auto first = co_await race(process_->wait(), options_->session());
        if (first.index() == 1) {
            options_->door->close();
            co_return co_await after_session(std::get<1>(std::move(first)));
        }
        end = std::get<0>(std::move(first));
    } else {
        end = co_await process_->wait();
    }
    options_->door->close();
    ALKNET_CO_TRY(const ProcessEnd how, *std::move(end));
    co_return how.text();
}

}  // namespace alknet::exec
