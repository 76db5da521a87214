#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

void add_token_commands(Grammar& grammar) {
    using Action = TokenOptions::Action;
    CLI::App& token = grammar.group("token", "Make and take back tokens");

    const auto add = std::make_shared<TokenOptions>();
    add->action = Action::add;
    CLI::App& add_command = grammar.leaf(token, "add", "Make a token and print it, this once", add);
    add_command.footer(
        "For programs that cannot prove a key. Only its digest is kept: who loses it needs another "
        "one.");
    metavar(add_command.add_option("--peer", add->peer,
                                   "Whose it is: it may do what that "
                                   "peer may"),
            "NAME");
    add_list(add_command, "--scopes", add->scopes, "SCOPES",
             "For an API key, which is nobody's: what it may do");
    metavar(add_command.add_option("--expires", add->expires,
                                   "When it ends: a duration from now, or a day in UTC"),
            "WHEN");
    metavar(add_command.add_option("--label", add->label, "What it is for"), "TEXT");

    const auto list = std::make_shared<TokenOptions>();
    grammar.leaf(token, "list", "Show which tokens there are", list);

    const auto remove = std::make_shared<TokenOptions>();
    remove->action = Action::remove;
    CLI::App& remove_command = grammar.leaf(token, "remove", "Take a token back", remove);
    metavar(remove_command.add_option("ID", remove->id, "Its id, which is how it begins"), "ID")
        ->required();

    const auto sign = std::make_shared<TokenSignOptions>();
    CLI::App& sign_command =
        grammar.leaf(token, "sign", "Sign a token with this node's key, for one session", sign);
    sign_command.footer(
        "It proves the key to the node it is for, once and for a few minutes, and only for the "
        "service that PURPOSE names: the way for programs whose connection cannot carry the key. "
        "Clocks must agree. With --v1 it is of the older form, which names neither, and which "
        "nodes accept only with tokens.signed_v1.");
    metavar(sign_command.add_option("--for", sign->audience,
                                    "The node that is to accept it: a peer's name, a node id or an "
                                    "address with one"),
            "NODE");
    metavar(sign_command.add_option("--purpose", sign->purpose,
                                    "The service it is shown to, by its ALPN"),
            "PURPOSE");
    sign_command.add_flag("--v1", sign->v1, "Make one of the older form");
    grammar.add_identity(sign_command);
}

}  // namespace alknet::app
