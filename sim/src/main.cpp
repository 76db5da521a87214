// alknet_sim: see sim/README.md.
#include <fmt/format.h>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

#include <alknet/base/number.hpp>
#include "context.hpp"
#include "mutations.hpp"
#include "runner.hpp"

namespace alknet::sim {
namespace {

struct Options {
    std::uint64_t first = 1;
    std::uint64_t seeds = 20;
    int jobs = 0;
    bool mutations = false;
    bool list = false;
    bool hashes = false;
    Request request;  // without its seed
};

constexpr std::string_view kUsage =
    "usage: alknet_sim [options]\n"
    "  --seeds N        run seeds 1 to N (20), each in a process of its own\n"
    "  --first N        begin with another one\n"
    "  --seed N         run one seed in this process\n"
    "  --scenario NAME  all seeds in one scenario; else the seed decides\n"
    "  --verbose        with --seed: every packet and every log event\n"
    "  --repeat N       each seed N times in one process; the traces must be the same\n"
    "  --hashes         print the hash of each trace\n"
    "  --jobs N         seeds at a time (one per processor)\n"
    "  --mutate NAME    switch a deliberate defect on (builds with ALKNET_MUTATIONS only)\n"
    "  --mutations      show that each defect of the list makes a seed fail\n"
    "  --list           name scenarios and defects\n";

[[noreturn]] void refuse(std::string_view what) {
    fmt::print(stderr, "alknet_sim: {}\n{}", what, kUsage);
    std::exit(2);
}

std::uint64_t number(std::string_view option, std::string_view text) {
    const auto value = parse_number<std::uint64_t>(text);
    if (!value) {
        refuse(fmt::format("{} needs a number, not '{}'", option, text));
    }
    return *value;
}

void check_names(const Request& request) {
    const auto known = [&](const Scenario& scenario) { return scenario.name == request.scenario; };
    if (!request.scenario.empty() && std::none_of(scenarios().begin(), scenarios().end(), known)) {
        refuse(fmt::format("there is no scenario '{}'", request.scenario));
    }
    if (!request.mutation.empty()) {
        if (!mutations_available()) {
            refuse("this build has no defects; use one with ALKNET_MUTATIONS=ON (the dev preset)");
        }
        if (find_mutation(request.mutation) == nullptr) {
            refuse(fmt::format("there is no defect '{}'", request.mutation));
        }
    }
}

Options parse(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string_view option = arguments[i];
        const auto value = [&]() -> std::string_view {
            if (++i >= count) {
                refuse(fmt::format("{} needs a value", option));
            }
            return arguments[i];
        };
        if (option == "--seeds") {
            options.seeds = number(option, value());
        } else if (option == "--first") {
            options.first = number(option, value());
        } else if (option == "--seed") {
            options.first = number(option, value());
            options.seeds = 1;
        } else if (option == "--scenario") {
            options.request.scenario = value();
        } else if (option == "--mutate") {
            options.request.mutation = value();
        } else if (option == "--repeat") {
            options.request.repeat = static_cast<int>(number(option, value()));
        } else if (option == "--jobs") {
            options.jobs = static_cast<int>(number(option, value()));
        } else if (option == "--verbose") {
            options.request.verbose = true;
        } else if (option == "--hashes") {
            options.hashes = true;
        } else if (option == "--mutations") {
            options.mutations = true;
        } else if (option == "--list") {
            options.list = true;
        } else if (option == "--help") {
            fmt::print("{}", kUsage);
            std::exit(0);
        } else {
            refuse(fmt::format("unknown option '{}'", option));
        }
    }
    check_names(options.request);
    if (options.seeds == 0 || options.request.repeat <= 0) {
        refuse("a run of nothing would prove nothing");
    }
    if (options.jobs <= 0) {
        options.jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    }
    return options;
}

void print_outcome(const Options& options, const Outcome& outcome) {
    if (options.hashes) {
        fmt::print("seed {} trace {:016x} datagrams {} virtual {} ms real {} ms\n",
                   outcome.request.seed, outcome.trace_hash, outcome.datagrams,
                   outcome.virtual_milliseconds, outcome.real_milliseconds);
    }
    if (!outcome.passed) {
        fmt::print("seed {} FAILED\n{}\nreplay: {} --verbose\n", outcome.request.seed,
                   outcome.message, replay_command(outcome.request));
    }
    std::fflush(stdout);
}

int run_seeds(const Options& options) {
    std::vector<Request> requests;
    for (std::uint64_t i = 0; i < options.seeds; ++i) {
        requests.push_back(options.request);
        requests.back().seed = options.first + i;
    }
    std::size_t passed = 0;
    const auto each = [&](const Outcome& outcome) {
        passed += outcome.passed ? 1 : 0;
        print_outcome(options, outcome);
    };
    if (requests.size() == 1) {
        each(run_here(requests.front()));
    } else {
        run_all(requests, options.jobs, each);
    }
    fmt::print("{} passed, {} failed\n", passed, requests.size() - passed);
    return passed == requests.size() ? 0 : 1;
}

void print_list() {
    fmt::print("scenarios\n");
    for (const Scenario& scenario : scenarios()) {
        fmt::print("  {:<12} {}\n", scenario.name, scenario.about);
    }
    fmt::print("defects\n");
    for (const KnownMutation& mutation : known_mutations()) {
        fmt::print("  {:<28} {}\n", mutation.name, mutation.about);
    }
}

}  // namespace
}  // namespace alknet::sim

int main(int count, char** arguments) {
    using namespace alknet::sim;
    const Options options = parse(count, arguments);
    if (options.list) {
        print_list();
        return 0;
    }
    return options.mutations ? check_mutations(options.jobs) : run_seeds(options);
}
