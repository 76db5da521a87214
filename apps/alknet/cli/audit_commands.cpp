#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

void add_audit_commands(Grammar& grammar) {
    using Action = AuditOptions::Action;
    CLI::App& audit = grammar.group("audit", "Say what this node decided, and prove it");

    const auto show = std::make_shared<AuditOptions>();
    CLI::App& show_command = grammar.leaf(audit, "show", "Show what was decided, and why", show);
    show_command.footer(
        "One line for each record: who was let in to what, who was not, and what has changed that "
        "decides it. The fields are described in docs/audit.md.");
    metavar(show_command.add_option("--since", show->since,
                                    "From then on: a duration back from now, or a day or time in "
                                    "UTC as the records have it"),
            "WHEN");
    metavar(show_command.add_option("--peer", show->peer, "Of this peer: its name, id or key"),
            "NAME");
    show_command.add_flag("--follow", show->follow, "Go on until Ctrl-C");

    const auto verify = std::make_shared<AuditOptions>();
    verify->action = Action::verify;
    CLI::App& verify_command =
        grammar.leaf(audit, "verify", "Say whether the audit log is as it was written", verify);
    verify_command.footer(
        "The exit code is 0 if it is, else 1. Whoever can write into the home can write another "
        "log "
        "in its place: note the head that this prints somewhere else, and give it the next time.");
    metavar(verify_command.add_option("--head", verify->head,
                                      "A head that this command has printed before"),
            "SEQ:DIGEST");
}

}  // namespace alknet::app
