// Of a program that was built without SSH, or without SOCKS.
#include <alknet/base/causes.hpp>

#include "commands.hpp"

namespace alknet::app {

namespace {

std::unexpected<error> without_ssh() {
    return fail(causes::kNotSupported, "this alknet was built without SSH");
}

}  // namespace

result<ExitCode> run(const CommandLine& /*line*/, const SshOptions& /*options*/) {
    return without_ssh();
}

result<ExitCode> run(const CommandLine& /*line*/, const ForwardOptions& /*options*/) {
    return without_ssh();
}

result<ExitCode> run(const CommandLine& /*line*/, const SshConfigOptions& /*options*/) {
    return without_ssh();
}

result<ExitCode> run(const CommandLine& /*line*/, const SessionsOptions& /*options*/) {
    return without_ssh();
}

}  // namespace alknet::app
