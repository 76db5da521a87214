#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

void add_import_commands(Grammar& grammar) {
    using Action = ImportOptions::Action;
    CLI::App& import = grammar.group("import", "Look after operations of other nodes");

    const auto list = std::make_shared<ImportOptions>();
    CLI::App& list_command = grammar.leaf(import, "list", "Show what other nodes offer here", list);
    list_command.footer(
        "[[call.import]] in alknet.toml says of which peers. What a peer offers first is accepted; "
        "what is new or changed later is held back until somebody accepts it, by the digest that "
        "is shown here.");

    const auto add_prefix = [](CLI::App& command, ImportOptions& options) {
        metavar(command.add_option("PREFIX", options.prefix, "With which its names begin here"),
                "PREFIX")
            ->required();
    };
    const auto accept = std::make_shared<ImportOptions>();
    accept->action = Action::accept;
    CLI::App& accept_command =
        grammar.leaf(import, "accept", "Accept what of an import is new or has changed", accept);
    accept_command.footer(
        "As alknet import list showed it: what has changed since is not accepted. alknet call PEER "
        "--schema OPERATION shows what an operation is.");
    add_prefix(accept_command, *accept);
    metavar(accept_command.add_option("DIGEST", accept->digest,
                                      "Of what waits, as alknet import list shows it"),
            "DIGEST")
        ->required();

    const auto remove = std::make_shared<ImportOptions>();
    remove->action = Action::remove;
    add_prefix(
        grammar.leaf(import, "remove", "Forget an import that alknet.toml no longer has", remove),
        *remove);
}

}  // namespace alknet::app
