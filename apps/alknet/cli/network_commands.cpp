#include "grammar.hpp"
#include "options.hpp"
#include "values.hpp"

namespace alknet::app {

void add_network_commands(Grammar& grammar) {
    const auto ping = std::make_shared<PingOptions>();
    CLI::App& ping_command =
        grammar.leaf(grammar.root(), "ping", "Measure handshake and round trips", ping);
    grammar.add_identity(ping_command);
    ping_command.footer(std::string(kAddressDetails));
    add_address(ping_command, ping->address);
    add_wishes(ping_command, ping->wishes);
    auto* const all = ping_command.add_flag("--all-transports", ping->all_transports,
                                            "Try every way to the node, and print a line for each");
    add_count(ping_command, "--count", ping->count, "How many round trips")->excludes(all);
    add_duration(ping_command, "--interval", ping->interval, "Time between them")->excludes(all);
    add_duration(ping_command, "--timeout", ping->timeout, "How long each of them may take");

    const auto renew = std::make_shared<RenewOptions>();
    CLI::App& renew_command = grammar.leaf(
        grammar.root(), "renew", "Renew this identity's own term at a node that lets it", renew);
    grammar.add_identity(renew_command);
    renew_command.footer(
        "In the last 14 days of the term (or the last half of what it may be renewed by, where "
        "that is less), or in the 7 days after it, in which the node answers nothing else; if the "
        "owner of the node has said how far (alknet peer add --renew). " +
        std::string(kAddressDetails));
    add_address(renew_command, renew->address);
    add_wishes(renew_command, renew->wishes);
    add_duration(renew_command, "--timeout", renew->timeout, "How long an answer may take");

    const auto pipe = std::make_shared<PipeOptions>();
    CLI::App& pipe_command =
        grammar.leaf(grammar.root(), "pipe", "Join standard input and output to a service", pipe);
    grammar.add_identity(pipe_command);
    pipe_command.footer(
        "One bidirectional stream. The end of standard input ends our half of it, the end of the "
        "other half closes standard output; the command ends when both have. With --resume the "
        "stream outlives its connection: when that is lost, or the machine has slept, the command "
        "connects again, over whatever transport works then, and goes on where it was. From TCP it "
        "moves back to QUIC when that gets through, and away from QUIC that is held back. A line "
        "on "
        "standard error tells of interruptions of more than two seconds. " +
        std::string(kAddressDetails));
    add_address(pipe_command, pipe->address);
    metavar(pipe_command.add_option("--alpn", pipe->alpn, "The service's ALPN name"), "NAME")
        ->required();
    add_wishes(pipe_command, pipe->wishes);
    pipe_command.add_flag("--resume", pipe->resume, "Go on after a lost connection");

    const auto probe = std::make_shared<ProbeOptions>();
    CLI::App& probe_command =
        grammar.leaf(grammar.root(), "probe",
                     "Find out what a node offers: services, identities, QUIC versions", probe);
    probe_command.footer(
        "Goes no further than handshakes. An unknown node is not trusted by this: nothing but the "
        "handshake is sent, and what is printed is what the node claims.");
    add_address(probe_command, probe->address);
    metavar(probe_command.add_option("--alpn", probe->alpns,
                                     "Ask for this service too; may be repeated"),
            "NAME");
    add_duration(probe_command, "--timeout", probe->timeout, "How long each handshake may take");
}

}  // namespace alknet::app
