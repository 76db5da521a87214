// Of a program that was built without SSH.
#include <alknet/base/causes.hpp>

#include "commands.hpp"

namespace alknet::app {

result<ExitCode> run(const CommandLine& /*line*/, const SshOptions& /*options*/) {
    return fail(causes::kNotSupported, "this alknet was built without SSH");
}

}  // namespace alknet::app
