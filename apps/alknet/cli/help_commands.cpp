#include "grammar.hpp"
#include "options.hpp"
#include "values.hpp"

namespace alknet::app {

void add_help_commands(Grammar& grammar) {
    const auto explain = std::make_shared<ExplainOptions>();
    CLI::App& explain_command =
        grammar.leaf(grammar.root(), "explain", "Tell more about an error", explain);
    metavar(explain_command.add_option("ID", explain->id,
                                       "Such as E-TLS-KEY-MISMATCH; without it, list them all"),
            "ID");

    const auto completion = std::make_shared<CompletionOptions>();
    CLI::App& completion_command =
        grammar.leaf(grammar.root(), "completion",
                     "Print what makes a shell complete alknet's words", completion);
    completion_command.footer(
        "For example: alknet completion bash >"
        " ~/.local/share/bash-completion/completions/alknet");
    add_choice<std::string>(completion_command, "SHELL", completion->shell,
                            {{"bash", "bash"}, {"fish", "fish"}, {"zsh", "zsh"}}, "Which shell")
        ->required();

    const auto manual = std::make_shared<ManualOptions>();
    CLI::App& manual_command =
        grammar.leaf(grammar.root(), "manual", "Print a manual page, for man -l -", manual);
    add_choice<std::string>(manual_command, "PAGE", manual->page,
                            {{"alknet", "alknet"}, {"alknet.toml", "alknet.toml"}}, "Which page")
        ->required();

    const auto help = std::make_shared<HelpOptions>();
    CLI::App& help_command =
        grammar.leaf(grammar.root(), "help", "Explain a command, or the exit codes", help);
    metavar(help_command.add_option("TOPIC", help->topic, "A command, or exit-codes"), "TOPIC");

    grammar.leaf(grammar.root(), "version", "Print the version",
                 std::make_shared<VersionOptions>());
}

}  // namespace alknet::app
