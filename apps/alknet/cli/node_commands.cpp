#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

void add_node_commands(Grammar& grammar) {
    const auto init = std::make_shared<InitOptions>();
    CLI::App& init_command =
        grammar.leaf(grammar.root(), "init", "Make a node: key, certificate, configuration", init);
    init_command.footer(
        "What is there already is kept, and never overwritten; with nothing left to make, the "
        "command fails. On a terminal it asks for what was not given.");
    metavar(init_command.add_option("--listen", init->listen,
                                    "Where the node will listen; may be repeated"),
            "IP:PORT");
    metavar(init_command.add_option("--name", init->names,
                                    "A name for the self-signed certificate; may be repeated"),
            "NAME");
    init_command.add_flag("--no-input", init->no_input, "Ask nothing");

    const auto id = std::make_shared<IdOptions>();
    CLI::App& id_command =
        grammar.leaf(grammar.root(), "id", "Print the node id in every text form", id);
    id_command.add_flag("--address", id->address,
                        "Print alknet://NODE_ID@HOST:PORT, with the first configured listener");
    id_command.add_flag("--ssh", id->ssh, "Print the key as OpenSSH writes it: ssh-ed25519 AAAA…");
    metavar(id_command.add_option("--host", id->host,
                                  "The HOST that others see; else that of the listener, or "
                                  "127.0.0.1 if it listens everywhere"),
            "HOST");

    const auto serve = std::make_shared<ServeOptions>();
    CLI::App& serve_command = grammar.leaf(grammar.root(), "serve", "Run the node", serve);
    serve_command.footer(
        "Prints a line with `listening` for each address once it is open. SIGHUP, or a change of "
        "alknet.toml, makes it read its configuration again; a bad one is refused and the old one "
        "stays. SIGTERM and SIGINT stop it in order. Under systemd it tells when it is ready and "
        "feeds the watchdog.");
    metavar(serve_command.add_option("--listen", serve->listen,
                                     "Listen here instead of where alknet.toml says; may be "
                                     "repeated"),
            "HOST:PORT");

    CLI::App& status_command =
        grammar.leaf(grammar.root(), "status", "Show what the running node is doing",
                     std::make_shared<StatusOptions>());
    status_command.footer("Fails when no node runs here.");
    CLI::App& reload_command =
        grammar.leaf(grammar.root(), "reload",
                     "Make the running node read its configuration and certificates again",
                     std::make_shared<ReloadOptions>());
    reload_command.footer(
        "Ends when the node follows the new one. A bad configuration is refused with the reason, "
        "and the old one stays.");
}

}  // namespace alknet::app
