#include <alknet/config/units.hpp>

#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

namespace {

void add_changes(Grammar& grammar, CLI::App& config) {
    using Action = ConfigPendingOptions::Action;
    const auto apply = std::make_shared<ConfigApplyOptions>();
    CLI::App& command =
        grammar.leaf(config, "apply", "Put FILE in the place of alknet.toml, after a check", apply);
    command.footer(
        "A running node has gone over to it when this ends. What it replaces is kept as "
        "alknet.toml.previous. Paths in FILE that are relative begin at the home. With --confirm "
        "the change is undone, also by a node that starts later, unless alknet config confirm "
        "comes in time: for changes that could lock you out.");
    metavar(command.add_option("FILE", apply->file, "The new configuration; - for standard input"),
            "FILE")
        ->required();
    command.add_flag("--dry-run", apply->dry_run, "Show what would happen, and change nothing");
    const auto confirm = [apply](const std::string& text) {
        apply->confirm = config::parse_duration(text);
        if (!apply->confirm) {
            throw CLI::ValidationError("--confirm is a duration such as 2m, and not '" + text +
                                       "'");
        }
    };
    metavar(command.add_option_function<std::string>("--confirm", confirm,
                                                     "Undo it unless it is confirmed within this "
                                                     "time, from 10s to 24h"),
            "DURATION");
    command.add_flag("--force", apply->force, "Even if nobody is left to rule the node");

    const auto keep = std::make_shared<ConfigPendingOptions>();
    grammar.leaf(config, "confirm", "Keep a change that was applied with --confirm", keep);
    const auto undo = std::make_shared<ConfigPendingOptions>();
    undo->action = Action::undo;
    grammar.leaf(config, "undo", "Undo a change that waits to be confirmed", undo);
}

}  // namespace

void add_config_commands(Grammar& grammar) {
    CLI::App& config = grammar.group("config", "Work on the configuration");
    const auto check = std::make_shared<ConfigCheckOptions>();
    CLI::App& check_command =
        grammar.leaf(config, "check", "Say what is wrong with alknet.toml", check);
    metavar(check_command.add_option("FILE", check->file,
                                     "Another file than the home's; - for standard input"),
            "FILE");

    grammar
        .leaf(config, "show", "Show every key with its value and where that comes from",
              std::make_shared<ConfigShowOptions>())
        .footer(
            "Peers that commands have added are shown as alknet.toml would have them. What is "
            "printed is a configuration itself. Nothing in it is secret.");

    const auto diff = std::make_shared<ConfigDiffOptions>();
    CLI::App& diff_command = grammar.leaf(
        config, "diff", "Show what differs from the configuration that was accepted last", diff);
    diff_command.footer(
        "What is compared is what the keys mean: comments, order and defaults that are written out "
        "make no difference. The plan below says what a running node would do.");
    metavar(diff_command.add_option("FILE", diff->file,
                                    "Another file than the home's; - for standard input"),
            "FILE");
    add_changes(grammar, config);
}

}  // namespace alknet::app
