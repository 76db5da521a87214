#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

void add_access_commands(Grammar& grammar) {
    CLI::App& access = grammar.group("access", "Explain who may do what");
    const auto check = std::make_shared<AccessCheckOptions>();
    CLI::App& check_command = grammar.leaf(
        access, "check", "Say what would be decided, why, and what would change it", check);
    check_command.footer("The exit code is 0 if it is allowed, else 5.");
    metavar(check_command.add_option("--peer", check->peer, "Who asks: its name, id or key"),
            "NAME")
        ->required();
    metavar(check_command.add_option("--do", check->scope,
                                     "What for: SERVICE:ACTION or SERVICE:ACTION:RESOURCE"),
            "SCOPE")
        ->required();
}

}  // namespace alknet::app
