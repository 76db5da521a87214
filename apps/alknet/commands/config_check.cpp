// alknet config check: what is wrong with a file. The work is done at the desk.
#include <alknet/base/causes.hpp>
#include <alknet/base/utf8.hpp>

#include "commands.hpp"
#include "config_change.hpp"
#include "control_client.hpp"
#include "output.hpp"
#include "outputs.hpp"

namespace alknet::app {

namespace {

result<ExitCode> report(const CommandLine& line, const Json& output) {
    ALKNET_TRY(const auto checked, answered<ConfigChecked>(output));
    const ExitCode code = checked.valid ? ExitCode::ok : ExitCode::config;
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
        return code;
    }
    std::string text = checked.valid ? printable(checked.file) + ": valid\n" : "";
    for (const ConfigProblem& problem : checked.problems) {
        text += printable(problem.text) + "\n";
    }
    for (const std::string& one : checked.refused) {
        text += "refused: " + printable(one) + "\n";
    }
    ALKNET_CHECK(print_text(text));
    return code;
}

// Another file than the home's, which need not have one.
result<Json> check_file(const CommandLine& line, const std::filesystem::path& file) {
    ALKNET_TRY(std::string text, read_other_config(file));
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
    return call::to_json(checked_output(file.native(), checked));
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ConfigCheckOptions& options) {
    ALKNET_TRY(const Json output, options.file.empty()
                                      ? at_own_node(line, "config/check", Json::object({}))
                                      : check_file(line, options.file));
    return report(line, output);
}

}  // namespace alknet::app
