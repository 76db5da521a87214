#include "grammar.hpp"
#include "options.hpp"
#include "values.hpp"

namespace alknet::app {

namespace {

constexpr std::string_view kSshAddressHelp =
    "Where and who: a node, or ssh://[USER@]HOST[:PORT] for an SSH server on TCP";

constexpr std::string_view kSshDetails =
    "A node is reached over alknet/ssh, proves its id there, and is shown the key of --identity or "
    "the home's. Of another server known_hosts must have the Ed25519 key; it is offered the key of "
    "--identity, else those of the ssh-agent, ~/.ssh/id_ed25519 and the home's. Keys of other "
    "kinds, or with a passphrase, are used through the agent: ssh-add FILE.";

void add_place(CLI::App& command, std::string& address, std::string& jumps) {
    metavar(command.add_option("ADDRESS", address, std::string(kSshAddressHelp)), "ADDRESS")
        ->required();
    metavar(command.add_option("-J,--jump", jumps,
                               "Go through these, in this order, with commas between them"),
            "ADDRESS,…");
}

}  // namespace

void add_ssh_commands(Grammar& grammar) {
    const auto ssh = std::make_shared<SshOptions>();
    CLI::App& command =
        grammar.leaf(grammar.root(), "ssh", "Run a command, or a shell, on an SSH server", ssh);
    grammar.add_identity(command);
    command.footer(
        "Whatever follows ADDRESS is COMMAND, as a shell there reads it; without it a shell is "
        "started, with a terminal if standard input is one. Standard input, output and error are "
        "the command's. It ends with the command's exit status, or with 255 if nothing was run. A "
        "server that is silent for a minute is given up. " +
        std::string(kSshDetails));
    add_place(command, ssh->address, ssh->jumps);
    metavar(command.add_option("-l,--user", ssh->user, "Log in as this user"), "NAME");
    auto* const tty =
        command.add_flag("-t,--tty", ssh->tty, "Give the command a terminal, whatever is here");
    command.add_flag("-T,--no-tty", ssh->no_tty, "Give the shell none")->excludes(tty);
    command.add_flag("-s,--subsystem", ssh->subsystem,
                     "COMMAND is the name of a subsystem, such as sftp");
    add_wishes(command, ssh->wishes);
    grammar.add_rest(command, "COMMAND", "What is to be run there", ssh->command);
}

}  // namespace alknet::app
