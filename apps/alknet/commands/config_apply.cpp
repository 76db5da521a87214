// alknet config diff, apply, confirm, undo: changes of the configuration, and what they would do.
// The work is done at the desk.
#include <fmt/format.h>
#include <alknet/base/utf8.hpp>
#include <alknet/config/config.hpp>
#include <alknet/config/units.hpp>

#include "commands.hpp"
#include "config_change.hpp"
#include "control_client.hpp"
#include "output.hpp"
#include "outputs.hpp"

namespace alknet::app {

namespace {

// Of what would change, or has changed.
template <class Output>
std::string as_text(const Output& output) {
    if (output.differences.empty()) {
        return "nothing differs\n";
    }
    std::string text = "differences\n";
    for (const ConfigDifference& one : output.differences) {
        text += fmt::format("  {}\n", printable(one.text));
    }
    text += output.effects.empty() ? "plan\n  no connection is cut\n" : "plan\n";
    for (const ConfigEffect& one : output.effects) {
        text +=
            fmt::format("  {} {}: {}{}\n", one.kind, printable(one.subject), printable(one.text),
                        one.cuts ? " (connections that this no longer allows end)" : "");
    }
    if (output.warning) {
        text += fmt::format("warning\n  {}\n", printable(*output.warning));
    }
    return text;
}

// The file is read here, with the rights of whoever asks.
result<ConfigDiffInput> input_of(const std::filesystem::path& file) {
    ALKNET_TRY(std::string text, read_other_config(file));
    if (!is_valid_utf8(text)) {
        return unexpected(config::as_error(
            config::parse(text, {.file = file.native(), .base = {}, .services = {}}).problems));
    }
    return ConfigDiffInput{.text = {.value = std::move(text)}, .file = given(file.native())};
}

std::string outcome_of(const ConfigApplied& output) {
    if (output.unchanged) {
        return "alknet.toml says this already\n";
    }
    std::string text = as_text(output);
    if (output.confirm_within) {
        text += fmt::format("applied; undone in {}, unless: alknet config confirm\n",
                            *output.confirm_within);
    } else if (output.applied) {
        text += "applied\n";
    }
    return text;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ConfigDiffOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const ConfigDiffInput input,
               input_of(options.file.empty() ? home.config_file() : options.file));
    ALKNET_TRY(const Json output, at_own_node(line, "config/diff", call::to_json(input)));
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
        return ExitCode::ok;
    }
    ALKNET_TRY(const auto diff, answered<ConfigDiff>(output));
    ALKNET_CHECK(print_text(as_text(diff)));
    return ExitCode::ok;
}

result<ExitCode> run(const CommandLine& line, const ConfigApplyOptions& options) {
    ALKNET_TRY(ConfigDiffInput proposed, input_of(options.file));
    const ConfigApplyInput input{
        .text = std::move(proposed.text),
        .file = std::move(proposed.file),
        .dry_run = options.dry_run,
        .force = options.force,
        .confirm = given(options.confirm ? config::duration_text(*options.confirm) : "")};
    ALKNET_TRY(const Json output, at_own_node(line, "config/apply", call::to_json(input)));
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
        return ExitCode::ok;
    }
    ALKNET_TRY(const auto applied, answered<ConfigApplied>(output));
    ALKNET_CHECK(print_text(outcome_of(applied)));
    return ExitCode::ok;
}

result<ExitCode> run(const CommandLine& line, const ConfigPendingOptions& options) {
    const bool confirm = options.action == ConfigPendingOptions::Action::confirm;
    ALKNET_TRY(const Json output,
               at_own_node(line, confirm ? "config/confirm" : "config/undo", Json::object({})));
    ALKNET_TRY(const auto done, answered<ConfigPendingDone>(output));
    ALKNET_CHECK(print_line(line.json ? output.text() : done.done));
    return ExitCode::ok;
}

}  // namespace alknet::app
