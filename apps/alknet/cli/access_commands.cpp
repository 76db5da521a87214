#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

void add_access_commands(Grammar& grammar) {
    CLI::App& access = grammar.group("access", "Explain who may do what");
    const auto check = std::make_shared<AccessCheckOptions>();
    CLI::App& check_command = grammar.leaf(
        access, "check", "Say what would be decided, why, and what would change it", check);
    check_command.footer(
        "The exit code is 0 if it is allowed, else 5. A HOST with several addresses is asked about "
        "with each of them, and is allowed if one is.");
    metavar(check_command.add_option("--peer", check->peer, "Who asks: its name, id or key"),
            "NAME")
        ->required();
    metavar(check_command.add_option("--do", check->wanted,
                                     "What for: SERVICE:ACTION or SERVICE:ACTION:RESOURCE; or "
                                     "'connect HOST:PORT' or 'listen HOST:PORT', which forwarding "
                                     "rules decide"),
            "WHAT")
        ->required();
    metavar(check_command.add_option("--at", check->address,
                                     "Where HOST leads, instead of asking the system"),
            "IP");
}

}  // namespace alknet::app
