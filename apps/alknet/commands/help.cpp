#include "commands.hpp"
#include "output.hpp"

namespace alknet::app {

result<ExitCode> run(const CommandLine& line, const HelpOptions& options) {
    ALKNET_TRY(const std::string text, help_text(options.topic));
    ALKNET_CHECK(line.json ? print_line(Json::object({{"help", text}}).text()) : print_text(text));
    return ExitCode::ok;
}

result<ExitCode> run(const CommandLine& line, const VersionOptions&) {
    const std::string version(kVersion);
    ALKNET_CHECK(
        print_line(line.json ? Json::object({{"version", version}}).text() : "alknet " + version));
    return ExitCode::ok;
}

}  // namespace alknet::app
