// alknet: reads the command line, runs one command, and turns what went wrong into words and an
// exit code.
#include <fcntl.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <cerrno>
#include <csignal>
#include <exception>

#include "commands/commands.hpp"
#include "output.hpp"

namespace alknet::app {
namespace {

result<ExitCode> dispatch(const CommandLine& line) {
    return std::visit([&](const auto& options) { return run(line, options); }, line.verb);
}

// A standard descriptor that is closed would be given to the next socket or file, which then took
// what is meant for the other: logs in a file of the home, a socket read as standard input. Input
// that nobody gave is empty; what is printed where nobody can take it is an error, as it was
// before.
void occupy_standard_descriptors() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            // The lowest free descriptor is `fd`. It stays open as long as the process.
            (void)::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
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
    alknet::app::occupy_standard_descriptors();
    // A reader that goes away is an error of the write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    return static_cast<int>(alknet::app::run_program(argc, argv));
}
