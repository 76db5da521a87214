#include <alknet/doctor/bench.hpp>
#include <chrono>

#include "grammar.hpp"
#include "options.hpp"
#include "values.hpp"

namespace alknet::app {

namespace {

void add_bench_command(Grammar& grammar) {
    const auto bench = std::make_shared<BenchOptions>();
    CLI::App& bench_command = grammar.leaf(
        grammar.root(), "bench", "Measure how much a node can be sent, and what limits it", bench);
    grammar.add_identity(bench_command);
    bench_command.footer(
        "For nodes that know this one. Goes the way that a dial finds, or the one of --only. "
        "Without --up, --down or --both: down, then up. Counts octets that have arrived. Where "
        "QUIC seems to be held back, TLS on TCP is measured too and compared. Ctrl-C ends it, "
        "and prints what was measured so far. " +
        std::string(kAddressDetails));
    add_address(bench_command, bench->address);
    add_wishes(bench_command, bench->wishes);
    bench_command.add_flag("--up", bench->up, "Measure from here to there");
    bench_command.add_flag("--down", bench->down, "Measure from there to here");
    bench_command.add_flag("--both", bench->both, "Measure both directions at once");
    const auto longest =
        std::chrono::duration_cast<std::chrono::seconds>(doctor::BenchOptions::kTimeMax);
    add_count(bench_command, "--seconds", bench->seconds, "How long each measurement takes",
              static_cast<std::uint32_t>(longest.count()));
    add_duration(bench_command, "--timeout", bench->timeout, "How long the handshake may take");
}

}  // namespace

void add_doctor_commands(Grammar& grammar) {
    const auto doctor = std::make_shared<DoctorOptions>();
    CLI::App& doctor_command = grammar.leaf(
        grammar.root(), "doctor", "Say what does not work, why, and what to do about it", doctor);
    grammar.add_identity(doctor_command);
    doctor_command.footer(
        "Without an address: looks at this machine and at the home's node, and asks three of its "
        "peers whether TLS gets through; changes nothing. Each check says ok, warn, fail or "
        "skipped, what was found, what follows and what to do. With one: dials that node on every "
        "way there is, and where it knows this one, both ends examine the ways and compare; the "
        "causes come in order, the cheapest remedy first. Ends with code 1 if something fails. The "
        "file of --bundle has no keys, passwords, names or addresses, and is sent nowhere.");
    metavar(doctor_command.add_option("ADDRESS", doctor->address, std::string(kAddressHelp)),
            "ADDRESS");
    metavar(doctor_command.add_option("--alpn", doctor->alpn,
                                      "Dial this service instead of the doctor's own"),
            "NAME");
    add_duration(doctor_command, "--timeout", doctor->timeout, "How long each handshake may take");
    metavar(doctor_command.add_option("--bundle", doctor->bundle,
                                      "Write all that was found to this new file, for somebody who "
                                      "helps; - is standard output"),
            "FILE");
    metavar(
        doctor_command.add_option("--log", doctor->log,
                                  "For the bundle: the node's log, of which the last events are "
                                  "told"),
        "FILE")
        ->needs("--bundle");

    const auto paths = std::make_shared<PathsOptions>();
    CLI::App& paths_command = grammar.leaf(
        grammar.root(), "paths", "Show each way to a node, and which one is taken", paths);
    grammar.add_identity(paths_command);
    paths_command.footer(
        "For each way: where it leads, how long the handshake and a round trip take, and how many "
        "of 30 packets come back. Without an address: the ways to every peer of alknet.toml that "
        "has one. " +
        std::string(kAddressDetails));
    metavar(paths_command.add_option("ADDRESS", paths->address, std::string(kAddressHelp)),
            "ADDRESS");
    auto* const watch = paths_command.add_flag("--watch", paths->watch, "Go on until Ctrl-C");
    add_duration(paths_command, "--interval", paths->interval, "Time between two looks")
        ->needs(watch);
    add_duration(paths_command, "--timeout", paths->timeout, "How long each handshake may take");
    add_bench_command(grammar);
}

}  // namespace alknet::app
