#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

void add_config_commands(Grammar& grammar) {
    CLI::App& config = grammar.group("config", "Work on the configuration");
    const auto check = std::make_shared<ConfigCheckOptions>();
    CLI::App& check_command =
        grammar.leaf(config, "check", "Say what is wrong with alknet.toml", check);
    metavar(check_command.add_option("FILE", check->file, "Another file than the home's"), "FILE");
}

}  // namespace alknet::app
