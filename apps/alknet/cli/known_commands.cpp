#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

void add_known_commands(Grammar& grammar) {
    CLI::App& known = grammar.group("known", "Say what bare hosts are known to be");
    CLI::App& list = grammar.leaf(known, "list", "Show each host, and what it has to prove",
                                  std::make_shared<KnownOptions>());
    list.footer(
        "A host that was named without a node id is known from its first time on: as ca if "
        "certificate authorities verified it, else by the key or certificate that it showed and "
        "somebody agreed to. It is never accepted as anything else.");
    const auto remove = std::make_shared<KnownOptions>();
    remove->action = KnownOptions::Action::remove;
    CLI::App& remove_command =
        grammar.leaf(known, "remove", "Forget a host, so that its next time is the first", remove);
    metavar(remove_command.add_option("HOST", remove->name, "Which one"), "HOST[:PORT]")
        ->required();
}

}  // namespace alknet::app
