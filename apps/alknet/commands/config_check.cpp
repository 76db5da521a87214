// alknet config check: what is wrong with a file. The work is done at the desk.
#include <alknet/base/causes.hpp>
#include <alknet/base/utf8.hpp>

#include "commands.hpp"
#include "config_change.hpp"
#include "control_client.hpp"
#include "inputs.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

result<ExitCode> report(const CommandLine& line, const Json& output) {
    const Json* valid = output.find("valid");
    const bool good = valid != nullptr && valid->as_bool() != nullptr && *valid->as_bool();
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
        return good ? ExitCode::ok : ExitCode::config;
    }
    if (good) {
        ALKNET_CHECK(print_line(printable(output.text_of("file")) + ": valid"));
    }
    const Json* problems = output.find("problems");
    if (problems != nullptr && problems->as_array() != nullptr) {
        for (const Json& problem : *problems->as_array()) {
            ALKNET_CHECK(print_line(printable(problem.text_of("text"))));
        }
    }
    const Json* refused = output.find("refused");
    if (refused != nullptr && refused->as_array() != nullptr) {
        for (const Json& one : *refused->as_array()) {
            ALKNET_CHECK(print_line("refused: " + printable(*one.as_string())));
        }
    }
    return good ? ExitCode::ok : ExitCode::config;
}

// Another file than the home's, which need not have one.
result<Json> check_file(const CommandLine& line, const std::filesystem::path& file) {
    ALKNET_TRY(std::string text, config::read_config_text(file));
    std::error_code failure;
    const auto base = std::filesystem::absolute(file, failure).parent_path();
    if (to_valid_utf8(text) == text && open_home(line)) {
        return at_own_node(
            line, "config/check",
            call::to_json(ConfigCheckInput{.text = ConfigText{.value = std::move(text)},
                                           .file = given(file.native()),
                                           .base = given(base.native())}));
    }
    ALKNET_TRY(const Checked checked,
               check_config({.text = std::move(text), .file = file.native(), .base = base}, {}));
    return checked_json(file.native(), checked);
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ConfigCheckOptions& options) {
    ALKNET_TRY(const Json output, options.file.empty()
                                      ? at_own_node(line, "config/check", Json::object({}))
                                      : check_file(line, options.file));
    return report(line, output);
}

}  // namespace alknet::app
