#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

namespace {

constexpr const char* kRenewHelp =
    "How far from then it may renew its term itself: a duration, or never";

void add_peer_changes(Grammar& grammar, CLI::App& peer) {
    using Action = PeerOptions::Action;
    const auto change = [&](const std::string& word, const std::string& about, Action action) {
        const auto options = std::make_shared<PeerOptions>();
        options->action = action;
        CLI::App& command = grammar.leaf(peer, word, about, options);
        metavar(command.add_option("NAME", options->name, "Which one"), "NAME")->required();
        return std::pair<CLI::App*, std::shared_ptr<PeerOptions>>(&command, options);
    };
    const auto forcible = [](const auto& changed) {
        changed.first->add_flag("--force", changed.second->force,
                                "Even if nobody is left to rule the node");
    };
    forcible(change("remove", "Forget somebody; its connections end", Action::remove));
    forcible(
        change("disable", "Treat somebody as a stranger; its connections end", Action::disable));
    change("enable", "Undo disable", Action::enable);

    const auto [renew, renewal] = change("renew", "Give somebody a new term", Action::renew);
    forcible(std::pair(renew, renewal));
    metavar(renew->add_option("--expires", renewal->expires,
                              "When it ends: a duration from now, a day in UTC, or never (30d; as "
                              "it is if --renew alone is given)"),
            "WHEN");
    metavar(renew->add_option("--renew", renewal->renew, kRenewHelp), "DURATION");
    renew->footer("Whoever may renew its own term does so with alknet renew, on its side.");

    const auto [rename, renaming] =
        change("name", "Give somebody another name; everything else stays", Action::rename);
    metavar(rename->add_option("NEW_NAME", renaming->new_name, "The new name"), "NEW_NAME")
        ->required();

    const auto [scopes, scoping] = change("scopes", "Change what somebody may do", Action::scopes);
    add_list(*scopes, "--set", scoping->set, "SCOPES", "What it may do from now on");
    add_list(*scopes, "--remove", scoping->removed, "SCOPES", "What it may do no longer");
    scopes->add_flag("--none", scoping->none,
                     "It may do nothing from now on that needs a scope: all its scopes, roles and "
                     "resources go");
    add_list(*scopes, "--add", scoping->added, "SCOPES", "What it may do besides");
    add_list(*scopes, "--add-role", scoping->added_roles, "ROLES",
             "Roles of alknet.toml that it has besides");
    add_list(*scopes, "--remove-role", scoping->removed_roles, "ROLES",
             "Roles that it has no longer");
    add_list(*scopes, "--resources", scoping->resources, "RESOURCES",
             "In place of the resources that it has");
    forcible(std::pair(scopes, scoping));
    scopes->footer("What it may do no longer ends the connections that it has.");
}

}  // namespace

void add_peer_commands(Grammar& grammar) {
    using Action = PeerOptions::Action;
    CLI::App& peer = grammar.group("peer", "Say who is known, and what they may do");

    const auto add = std::make_shared<PeerOptions>();
    add->action = Action::add;
    CLI::App& add_command = grammar.leaf(peer, "add", "Add somebody", add);
    add_command.footer(
        "Who is added by commands stands in state.db beside alknet.toml. A running node is asked "
        "to do it, and follows it when the command ends. KEY is what alknet id prints on the other "
        "side, in any form; an "
        "ssh-ed25519 line; what ssh-keygen -l prints; or x509-sha256:HEX.");
    metavar(add_command.add_option("NAME", add->name, "What to call it"), "NAME")->required();
    metavar(add_command.add_option("--key", add->keys, "What proves who it is; may be repeated"),
            "KEY")
        ->required();
    add_list(add_command, "--scopes", add->scopes, "SCOPES", "What it may do");
    add_list(add_command, "--roles", add->roles, "ROLES", "Roles of alknet.toml that it has");
    add_list(add_command, "--resources", add->resources, "RESOURCES",
             "SERVICE:RESOURCE, which @ in its scopes stands for");
    metavar(
        add_command.add_option("--expires", add->expires,
                               "When its term ends: a duration from now, a day in UTC, or never"),
        "WHEN");
    metavar(add_command.add_option("--renew", add->renew, kRenewHelp), "DURATION");
    metavar(add_command.add_option("--address", add->address, "Where to reach it"), "HOST[:PORT]");

    const auto list = std::make_shared<PeerOptions>();
    grammar.leaf(peer, "list", "Show everybody who is known, and from where", list);
    add_peer_changes(grammar, peer);
    add_invitation_commands(grammar, peer);
}

}  // namespace alknet::app
