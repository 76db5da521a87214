// alknet config diff, apply, confirm, undo: changes of the configuration, and what they would do.
// The work is done at the desk.
#include <fmt/format.h>
#include <alknet/base/utf8.hpp>
#include <alknet/config/config.hpp>
#include <alknet/config/units.hpp>

#include "commands.hpp"
#include "control_client.hpp"
#include "inputs.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

template <class Each>
void for_each(const Json& of, std::string_view member, Each each) {
    const Json* found = of.find(member);
    if (found != nullptr && found->as_array() != nullptr) {
        for (const Json& one : *found->as_array()) {
            each(one);
        }
    }
}

bool is_true(const Json& of, std::string_view member) {
    const Json* found = of.find(member);
    return found != nullptr && found->as_bool() != nullptr && *found->as_bool();
}

std::string as_text(const Json& proposal) {
    std::string differences;
    for_each(proposal, "differences", [&](const Json& one) {
        differences += fmt::format("  {}\n", printable(one.text_of("text")));
    });
    if (differences.empty()) {
        return "nothing differs\n";
    }
    std::string plan;
    for_each(proposal, "effects", [&](const Json& one) {
        plan += fmt::format(
            "  {} {}: {}{}\n", one.text_of("kind"), printable(one.text_of("subject")),
            printable(one.text_of("text")),
            is_true(one, "cuts") ? " (connections that this no longer allows end)" : "");
    });
    std::string text = "differences\n" + differences + "plan\n" +
                       (plan.empty() ? "  no connection is cut\n" : plan);
    if (const std::string_view warning = proposal.text_of("warning"); !warning.empty()) {
        text += fmt::format("warning\n  {}\n", printable(warning));
    }
    return text;
}

// The file is read here, with the rights of whoever asks.
result<ConfigDiffInput> input_of(const std::filesystem::path& file) {
    ALKNET_TRY(std::string text, config::read_config_text(file));
    if (to_valid_utf8(text) != text) {
        return unexpected(
            config::as_error(config::parse(text, {.file = file.native(), .base = {}}).problems));
    }
    return ConfigDiffInput{.text = {.value = std::move(text)}, .file = given(file.native())};
}

std::string outcome_of(const Json& output) {
    if (is_true(output, "unchanged")) {
        return "alknet.toml says this already\n";
    }
    std::string text = as_text(output);
    const std::string_view within = output.text_of("confirm_within");
    if (!within.empty()) {
        text += fmt::format("applied; undone in {}, unless: alknet config confirm\n", within);
    } else if (is_true(output, "applied")) {
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
    ALKNET_CHECK(line.json ? print_line(output.text()) : print_text(as_text(output)));
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
    ALKNET_CHECK(line.json ? print_line(output.text()) : print_text(outcome_of(output)));
    return ExitCode::ok;
}

result<ExitCode> run(const CommandLine& line, const ConfigPendingOptions& options) {
    const bool confirm = options.action == ConfigPendingOptions::Action::confirm;
    ALKNET_TRY(const Json output,
               at_own_node(line, confirm ? "config/confirm" : "config/undo", Json::object({})));
    ALKNET_CHECK(print_line(line.json ? output.text() : std::string(output.text_of("done"))));
    return ExitCode::ok;
}

}  // namespace alknet::app
