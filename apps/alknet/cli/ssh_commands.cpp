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
    "--identity, else ~/.ssh/id_ed25519, those of the ssh-agent and the home's. Keys of other "
    "kinds, or with a passphrase, are used through the agent: ssh-add FILE.";

void add_place(CLI::App& command, std::string& address, std::string& jumps) {
    metavar(command.add_option("ADDRESS", address, std::string(kSshAddressHelp)), "ADDRESS")
        ->required();
    metavar(command.add_option("-J,--jump", jumps,
                               "Go through these, in this order, with commas between them"),
            "ADDRESS,…");
}

void add_forward_command(Grammar& grammar) {
    const auto forward = std::make_shared<ForwardOptions>();
    CLI::App& command = grammar.leaf(grammar.root(), "forward",
                                     "Join ports here and there through an SSH server", forward);
    grammar.add_identity(command);
    command.footer(
        "SPEC is [BIND:]PORT:HOST:PORT as OpenSSH has it, or a unix socket's path in the place of "
        "either half; without BIND it listens at localhost, with * everywhere. What is printed is "
        "what has become of each forward and of the session. A session that is lost is made again, "
        "after 1 s, then 2, 4 and so on to 30, and what listens there with it; connections that it "
        "carried are lost. " +
        std::string(kSshDetails));
    add_place(command, forward->address, forward->jumps);
    metavar(command.add_option("-l,--user", forward->user, "Log in as this user"), "NAME");
    auto* const local = metavar(command.add_option("-L,--local", forward->local,
                                                   "Listen here, connect there; may be repeated"),
                                "SPEC");
    auto* const remote = metavar(command.add_option("-R,--remote", forward->remote,
                                                    "Listen there, connect here; may be repeated"),
                                 "SPEC");
    auto* const dynamic =
        metavar(command.add_option("-D,--dynamic", forward->dynamic,
                                   "Listen here for programs that speak SOCKS 5, 4a or 4, and "
                                   "connect there to where they want, whose names are resolved "
                                   "there; may be repeated"),
                "[BIND:]PORT");
    metavar(command.add_option("-W,--stdio", forward->stdio,
                               "Join standard input and output to this there, a HOST:PORT or a "
                               "socket's path, and nothing else"),
            "TARGET")
        ->excludes(local)
        ->excludes(remote)
        ->excludes(dynamic);
    metavar(
        command.add_option_function<std::string>(
            "--socks-login", [forward](const std::string& file) { forward->socks_login = file; },
            "Let only programs with this user and password use -D: a file with USER:PASSWORD "
            "in a line, which nobody else may read"),
        "FILE")
        ->needs(dynamic);
    command.add_flag("--fail-fast", forward->fail_fast,
                     "End when something cannot be had, or the session is lost");
    add_wishes(command, forward->wishes);
}

void add_ssh_config_command(Grammar& grammar) {
    const auto config = std::make_shared<SshConfigOptions>();
    CLI::App& command =
        grammar.leaf(grammar.root(), "ssh-config",
                     "Print what stock ssh needs to reach a node, for ~/.ssh/config", config);
    grammar.add_identity(command);
    command.footer(
        "A Host block for the node: its connection is made by alknet pipe --resume, so that it "
        "outlives sleep and changes of the network, and its key is the one of its node id. "
        "Append it to ~/.ssh/config, and ssh, rsync and git reach the node by that name, and "
        "scp with its option -O: where the node runs commands. The node has no SFTP, which sftp "
        "and scp by itself need. ADDRESS must have a node id.");
    add_address(command, config->address);
}

void add_sessions_command(Grammar& grammar) {
    const auto sessions = std::make_shared<SessionsOptions>();
    CLI::App& command = grammar.leaf(
        grammar.root(), "sessions", "Show who is logged in over SSH at the running node", sessions);
    command.footer(
        "A line for each session, with its id, and below it one for each connection and listener "
        "that is forwarded. The same is asked of other nodes with alknet call ADDRESS "
        "ssh/sessions, "
        "ssh/forwards and ssh/close, and ssh/watch tells of changes.");
    metavar(command.add_option("--close", sessions->close, "End this session, or this forward"),
            "ID");
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
    auto* const agent =
        command.add_flag("-A,--agent", ssh->agent,
                         "Let programs there sign with keys of the ssh-agent here, as long as this "
                         "runs: whoever rules that server can do so too");
    metavar(command.add_option("--agent-key", ssh->agent_keys,
                               "With this key, and no other but those of further --agent-key: a "
                               "file, or SHA256:BASE64. By itself the key of --identity"),
            "KEY")
        ->needs(agent);
    add_wishes(command, ssh->wishes);
    grammar.add_rest(command, "COMMAND", "What is to be run there", ssh->command);
    add_forward_command(grammar);
    add_ssh_config_command(grammar);
    add_sessions_command(grammar);
}

}  // namespace alknet::app
