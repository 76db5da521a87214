#include <alknet/identity/invitation_state.hpp>

#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

namespace {

void add_invite_options(CLI::App& command, InvitationOptions& options) {
    command.footer(
        "Send the line to whoever is to join, and to nobody else: it is a secret until it is used. "
        "The other side gives it to alknet peer join, while this node runs; then both know each "
        "other, and the other may do here what SCOPES say. Scopes that rule the node or run "
        "programs on it need --confirm. On a terminal the line is shown as a QR code too.");
    add_list(command, "--scopes", options.scopes, "SCOPES", "What whoever joins may do here");
    add_duration(command, "--ttl", options.ttl, "How long it is good");
    add_count(command, "--uses", options.uses, "How many may join by it",
              identity::kInvitationUsesMax);
    metavar(command.add_option("--for", options.only_for, "Good for this key alone, in any form"),
            "FINGERPRINT");
    command.add_flag("--confirm", options.confirm,
                     "Let nobody in before you have confirmed six digits");
    metavar(command.add_option("--name", options.name,
                               "What to call whoever joins; else as it proposes"),
            "NAME");
    metavar(command.add_option("--expires", options.expires,
                               "When the term of whoever joins ends: a duration from now, or a "
                               "day in UTC"),
            "WHEN");
    metavar(command.add_option("--renew", options.renew,
                               "How far from then whoever joins may renew that: a duration"),
            "DURATION");
    metavar(command.add_option("--as", options.as,
                               "What this node calls itself; else the name of the machine"),
            "NAME");
    metavar(command.add_option("--address", options.addresses,
                               "Where this node is reached; may be repeated; else where it "
                               "listens"),
            "HOST[:PORT]");
    command.add_flag("--qr", options.qr, "Show the QR code anywhere");
    command.add_flag("--no-qr", options.no_qr, "Show no QR code");
}

void add_join_options(CLI::App& command, JoinOptions& options) {
    command.footer(
        "Goes to the node that the line names and to no other, which must be running, and makes "
        "the two know each other: that node becomes a peer of this home, with its address. With "
        "- the line is read from standard input, so that it is not seen in the list of "
        "processes.");
    metavar(command.add_option("LINE", options.line, "What alknet peer invite has printed, or -"),
            "LINE")
        ->required();
    metavar(command.add_option("--name", options.name,
                               "What to call the other node; else as it calls itself"),
            "NAME");
    metavar(command.add_option("--as", options.as,
                               "What the other node should call this one; else the name of the "
                               "machine"),
            "NAME");
    add_duration(command, "--timeout", options.timeout, "How long the handshake may take");
}

}  // namespace

void add_invitation_commands(Grammar& grammar, CLI::App& peer) {
    using Action = InvitationOptions::Action;
    const auto invite = std::make_shared<InvitationOptions>();
    add_invite_options(grammar.leaf(peer, "invite", "Print a line that lets somebody in", invite),
                       *invite);
    const auto joining = std::make_shared<JoinOptions>();
    add_join_options(grammar.leaf(peer, "join", "Use a line that somebody has sent", joining),
                     *joining);

    const auto confirm = std::make_shared<InvitationOptions>();
    confirm->action = Action::confirm;
    CLI::App& confirm_command =
        grammar.leaf(peer, "confirm", "Let in whoever sees these six digits", confirm);
    confirm_command.footer(
        "Ask whom you have invited for the digits that the join shows, over a way by which you "
        "know "
        "who speaks. Whoever else has got hold of the line sees others.");
    metavar(confirm_command.add_option("DIGITS", confirm->word, "As the other side tells them"),
            "DIGITS")
        ->required();

    const auto list = std::make_shared<InvitationOptions>();
    list->action = Action::list;
    grammar.leaf(peer, "invitations", "Show the invitations, and who waits to be confirmed", list);

    const auto uninvite = std::make_shared<InvitationOptions>();
    uninvite->action = Action::take_back;
    CLI::App& uninvite_command =
        grammar.leaf(peer, "uninvite", "Take an invitation back", uninvite);
    metavar(uninvite_command.add_option("ID", uninvite->word, "As peer invitations shows it"), "ID")
        ->required();
}

}  // namespace alknet::app
