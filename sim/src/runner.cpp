#include "runner.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/mutation.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <thread>

#include "context.hpp"
#include "fake_system.hpp"
#include "mutations.hpp"

namespace alknet::sim {

namespace {

const Scenario& scenario_of(const Request& request) {
    const std::vector<Scenario>& all = scenarios();
    for (const Scenario& scenario : all) {
        if (scenario.name == request.scenario) {
            return scenario;
        }
    }
    return all[request.seed % all.size()];
}

/// Once, in this thread.
void run_once(const Request& request, Outcome& outcome) {
    seed_system(request.seed);
    Context context(request.seed, request.verbose);
    const TimePoint start = context.world().now();
    try {
        scenario_of(request).run(context);
    } catch (const std::exception& exception) {
        context.fail(fmt::format("exception: {}", exception.what()));
    }
    const Duration lasted = context.world().now() - start;
    outcome.virtual_milliseconds = static_cast<std::uint64_t>(lasted.count()) / 1'000'000;
    outcome.datagrams = context.world().stats().datagrams_sent;
    outcome.trace_hash = context.world().trace_hash();
    for (const std::string& failure : context.failures()) {
        outcome.message += (outcome.message.empty() ? "" : "\n") + failure;
    }
}

/// What goes through the pipe from a child.
struct Wire {
    std::uint64_t trace_hash = 0;
    std::uint64_t datagrams = 0;
    std::uint64_t virtual_milliseconds = 0;
    std::uint64_t real_milliseconds = 0;
    std::uint64_t mutation_struck = 0;
    bool passed = false;
    char message[3072] = {};
};
static_assert(sizeof(Wire) <= 4096, "written to a pipe at once");

[[noreturn]] void child(const Request& request, int pipe) {
    alarm(kRealSecondsMax);
    const Outcome outcome = run_here(request);
    Wire wire;
    wire.trace_hash = outcome.trace_hash;
    wire.datagrams = outcome.datagrams;
    wire.virtual_milliseconds = outcome.virtual_milliseconds;
    wire.real_milliseconds = outcome.real_milliseconds;
    wire.mutation_struck = outcome.mutation_struck;
    wire.passed = outcome.passed;
    std::strncpy(wire.message, outcome.message.c_str(), sizeof wire.message - 1);
    const bool sent = write(pipe, &wire, sizeof wire) == sizeof wire;
    std::exit(sent ? 0 : 1);  // the leak checker has its say here
}

Outcome collect(const Request& request, int pipe, int status) {
    Wire wire;
    Outcome outcome;
    outcome.request = request;
    if (read(pipe, &wire, sizeof wire) == sizeof wire) {
        outcome.passed = wire.passed;
        outcome.message = wire.message;
        outcome.trace_hash = wire.trace_hash;
        outcome.datagrams = wire.datagrams;
        outcome.virtual_milliseconds = wire.virtual_milliseconds;
        outcome.real_milliseconds = wire.real_milliseconds;
        outcome.mutation_struck = wire.mutation_struck;
    }
    if (WIFSIGNALED(status)) {
        outcome.passed = false;
        outcome.message += WTERMSIG(status) == SIGALRM
                               ? fmt::format("hung: {} s of real time have passed", kRealSecondsMax)
                               : fmt::format("killed by {}", strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        outcome.passed = false;
        outcome.message += fmt::format("ended with status {} (a leak?)", WEXITSTATUS(status));
    }
    return outcome;
}

}  // namespace

Outcome run_here(const Request& request) {
    Outcome outcome;
    outcome.request = request;
    const std::int64_t start = real_milliseconds();
#ifdef ALKNET_MUTATIONS
    Mutation mutation;
    if (const KnownMutation* known = find_mutation(request.mutation)) {
        mutation.name = known->name;
        mutation.times = known->times;
        mutation.skip = known->stride * (request.seed - 1);
    }
    set_mutation(request.mutation.empty() ? nullptr : &mutation);
#endif
    for (int i = 0; i < request.repeat; ++i) {
        const std::uint64_t before = outcome.trace_hash;
        // A new thread: GnuTLS keeps the state of its random generator in each.
        std::thread thread([&] { run_once(request, outcome); });
        thread.join();
        if (i > 0 && outcome.trace_hash != before) {
            outcome.message += fmt::format(
                "the trace differs from that of the first run: {:016x} "
                "and {:016x}",
                outcome.trace_hash, before);
            break;
        }
    }
#ifdef ALKNET_MUTATIONS
    set_mutation(nullptr);
    outcome.mutation_struck = mutation.struck;
#endif
    outcome.passed = outcome.message.empty();
    outcome.real_milliseconds = static_cast<std::uint64_t>(real_milliseconds() - start);
    return outcome;
}

void run_all(const std::vector<Request>& requests, int jobs,
             const std::function<void(const Outcome& outcome)>& each) {
    struct Running {
        Request request;
        int pipe = -1;
    };
    std::map<pid_t, Running> running;
    std::size_t next = 0;
    while (next < requests.size() || !running.empty()) {
        while (next < requests.size() && running.size() < static_cast<std::size_t>(jobs)) {
            int ends[2] = {};
            if (pipe(ends) != 0) {
                throw std::runtime_error("no pipe");
            }
            std::fflush(nullptr);
            const pid_t pid = fork();
            if (pid < 0) {
                throw std::runtime_error("no process");
            }
            if (pid == 0) {
                close(ends[0]);
                child(requests[next], ends[1]);
            }
            close(ends[1]);
            running[pid] = {requests[next], ends[0]};
            ++next;
        }
        int status = 0;
        const auto ended = running.find(waitpid(-1, &status, 0));
        if (ended != running.end()) {
            each(collect(ended->second.request, ended->second.pipe, status));
            close(ended->second.pipe);
            running.erase(ended);
        }
    }
}

std::string replay_command(const Request& request) {
    std::string command = "alknet_sim";
    if (!request.scenario.empty()) {
        command += " --scenario " + request.scenario;
    }
    command += fmt::format(" --seed {}", request.seed);
    if (!request.mutation.empty()) {
        command += " --mutate " + request.mutation;
    }
    return command;
}

}  // namespace alknet::sim
