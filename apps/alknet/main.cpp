// alknet: reads the command line, runs one command, and turns what went wrong into words and an
// exit code.
#include <alknet/base/causes.hpp>
#include <csignal>
#include <exception>

#include "commands/commands.hpp"
#include "output.hpp"

namespace alknet::app {
namespace {

result<ExitCode> dispatch(const CommandLine& line) {
    return std::visit([&](const auto& options) { return run(line, options); }, line.verb);
}

// Exceptions are bugs; here is where the last of them ends.
result<ExitCode> guarded(const CommandLine& line) {
    try {
        return dispatch(line);
    } catch (const std::exception& failure) {
        return fail(causes::kInternal, failure.what());
    }
}

ExitCode run_program(int argc, char** argv) {
    const ParsedCommandLine parsed = parse_command_line(argc, argv);
    if (!parsed.outcome) {
        print_error(parsed.outcome.error(), parsed.json);
        return exit_code(parsed.outcome.error());
    }
    const result<ExitCode> outcome = guarded(*parsed.outcome);
    if (outcome) {
        return *outcome;
    }
    // Whoever closed our output, or interrupted us, knows it and wants no more words.
    const error& failure = outcome.error();
    if (!failure.is(causes::kOutputClosed) && !failure.is(causes::kCancelled)) {
        print_error(failure, parsed.json);
    }
    return exit_code(failure);
}

}  // namespace
}  // namespace alknet::app

int main(int argc, char** argv) {
    // A reader that goes away is an error of the write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    return static_cast<int>(alknet::app::run_program(argc, argv));
}
