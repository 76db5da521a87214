#include <CLI/CLI.hpp>

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/config/config.hpp>
#include <alknet/doctor/bench.hpp>
#include <functional>
#include <map>
#include <memory>
#include <sstream>

#include "cli.hpp"
#include "cli_options.hpp"
#include "cli_values.hpp"

namespace alknet::app {

namespace {

constexpr std::string_view kAddressDetails =
    "ADDRESS with a node id is reached only if the node proves that key. A bare HOST must have a "
    "certificate for its name that this system trusts, or be the one that it was when it was first "
    "trusted (alknet known). Nothing is sent to a node that is not "
    "verified. The command shows the key of --identity as its own, else the home's; without a "
    "home, a key made for this run.";

// The command line under construction: CLI11's tree, and where its values go.
class Grammar {
public:
    Grammar();

    CLI::App& root() noexcept { return root_; }
    /// The leaf that was parsed; null if there is none.
    [[nodiscard]] const CLI::App* chosen() const;
    [[nodiscard]] CommandLine take();
    [[nodiscard]] std::vector<const CLI::App*> leaves() const;

private:
    template <class Options>
    CLI::App& leaf(CLI::App& parent, const std::string& name, const std::string& about,
                   std::shared_ptr<Options> options);
    void add_global(CLI::App& command);
    void add_node_commands();
    void add_network_commands();
    void add_identity(CLI::App& command);
    void add_peer_commands();
    void add_peer_changes(CLI::App& peer);
    void add_invitations(CLI::App& peer);
    void add_token_commands();
    void add_known_commands();
    void add_doctor_commands();
    void add_bench_command();
    void add_help_commands();

    CLI::App root_{"A network node on which every service is an ALPN", "alknet"};
    std::string home_;
    std::string identity_;
    bool json_ = false;
    bool version_ = false;
    std::vector<std::pair<const CLI::App*, std::function<Verb()>>> leaves_;
};

template <class Options>
CLI::App& Grammar::leaf(CLI::App& parent, const std::string& name, const std::string& about,
                        std::shared_ptr<Options> options) {
    CLI::App& command = *parent.add_subcommand(name, about);
    add_global(command);
    leaves_.emplace_back(&command, [options] { return Verb(*options); });
    return command;
}

void Grammar::add_global(CLI::App& command) {
    metavar(command.add_option("--home", home_,
                               "The node's directory; else $ALKNET_HOME, else alknet in "
                               "$XDG_DATA_HOME or ~/.local/share"),
            "DIR");
    command.add_flag("--json", json_, "Print JSON, one object on a line; errors too");
}

Grammar::Grammar() {
    root_.set_help_flag("-h,--help", "Print this help");
    root_.add_flag("--version", version_, "Print the version");
    root_.require_subcommand(0, 1);  // `help ping` names one, and does not run it
    add_global(root_);
    add_node_commands();
    add_peer_commands();
    add_token_commands();
    add_known_commands();
    add_network_commands();
    add_doctor_commands();
    add_help_commands();
}

void Grammar::add_node_commands() {
    const auto init = std::make_shared<InitOptions>();
    CLI::App& init_command =
        leaf(root_, "init", "Make a node: key, certificate, configuration", init);
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
    CLI::App& id_command = leaf(root_, "id", "Print the node id in every text form", id);
    id_command.add_flag("--address", id->address,
                        "Print alknet://NODE_ID@HOST:PORT, with the first configured listener");
    id_command.add_flag("--ssh", id->ssh, "Print the key as OpenSSH writes it: ssh-ed25519 AAAA…");
    metavar(id_command.add_option("--host", id->host,
                                  "The HOST that others see; else that of the listener, or "
                                  "127.0.0.1 if it listens everywhere"),
            "HOST");

    const auto serve = std::make_shared<ServeOptions>();
    CLI::App& serve_command = leaf(root_, "serve", "Run the node", serve);
    serve_command.footer(
        "Prints a line with `listening` for each address once it is open. SIGHUP, or a change of "
        "alknet.toml, makes it read its configuration again; a bad one is refused and the old one "
        "stays. SIGTERM and SIGINT stop it in order. Under systemd it tells when it is ready and "
        "feeds the watchdog.");
    metavar(serve_command.add_option("--listen", serve->listen,
                                     "Listen here instead of where alknet.toml says; may be "
                                     "repeated"),
            "HOST:PORT");

    CLI::App& config = *root_.add_subcommand("config", "Work on the configuration");
    config.require_subcommand(1);
    const auto check = std::make_shared<ConfigCheckOptions>();
    CLI::App& check_command = leaf(config, "check", "Say what is wrong with alknet.toml", check);
    metavar(check_command.add_option("FILE", check->file, "Another file than the home's"), "FILE");
}

void Grammar::add_peer_commands() {
    using Action = PeerOptions::Action;
    CLI::App& peer = *root_.add_subcommand("peer", "Say who is known, and what they may do");
    peer.require_subcommand(1);

    const auto add = std::make_shared<PeerOptions>();
    add->action = Action::add;
    CLI::App& add_command = leaf(peer, "add", "Add somebody", add);
    add_command.footer(
        "Who is added by commands stands in state.db beside alknet.toml, and a running node knows "
        "it within a second. KEY is what alknet id prints on the other side, in any form; an "
        "ssh-ed25519 line; what ssh-keygen -l prints; or x509-sha256:HEX.");
    metavar(add_command.add_option("NAME", add->name, "What to call it"), "NAME")->required();
    metavar(add_command.add_option("--key", add->keys, "What proves who it is; may be repeated"),
            "KEY")
        ->required();
    add_list(add_command, "--scopes", add->scopes, "SCOPES", "What it may do");
    add_list(add_command, "--roles", add->roles, "ROLES", "Roles of alknet.toml that it has");
    metavar(add_command.add_option("--expires", add->expires,
                                   "When its term ends: a duration from now, or a day in UTC"),
            "WHEN");
    metavar(add_command.add_option("--address", add->address, "Where to reach it"), "HOST[:PORT]");

    const auto list = std::make_shared<PeerOptions>();
    leaf(peer, "list", "Show everybody who is known, and from where", list);
    add_peer_changes(peer);
    add_invitations(peer);
}

void Grammar::add_peer_changes(CLI::App& peer) {
    using Action = PeerOptions::Action;
    const auto change = [&](const std::string& word, const std::string& about, Action action) {
        const auto options = std::make_shared<PeerOptions>();
        options->action = action;
        CLI::App& command = leaf(peer, word, about, options);
        metavar(command.add_option("NAME", options->name, "Which one"), "NAME")->required();
        return std::pair<CLI::App*, std::shared_ptr<PeerOptions>>(&command, options);
    };
    change("remove", "Forget somebody; its connections end", Action::remove);
    change("disable", "Treat somebody as a stranger; its connections end", Action::disable);
    change("enable", "Undo disable", Action::enable);

    const auto [renew, renewal] = change("renew", "Give somebody a new term", Action::renew);
    renewal->expires = "30d";
    metavar(renew->add_option("--expires", renewal->expires,
                              "When it ends: a duration from now, or a day in UTC (30d)"),
            "WHEN");

    const auto [rename, renaming] =
        change("name", "Give somebody another name; everything else stays", Action::rename);
    metavar(rename->add_option("NEW_NAME", renaming->new_name, "The new name"), "NEW_NAME")
        ->required();

    const auto [scopes, scoping] = change("scopes", "Change what somebody may do", Action::scopes);
    add_list(*scopes, "--set", scoping->set, "SCOPES", "What it may do from now on");
    add_list(*scopes, "--remove", scoping->removed, "SCOPES", "What it may do no longer");
    add_list(*scopes, "--add", scoping->added, "SCOPES", "What it may do besides");
    scopes->footer("What it may do no longer ends the connections that it has.");
}

void Grammar::add_invitations(CLI::App& peer) {
    using Action = InvitationOptions::Action;
    const auto invite = std::make_shared<InvitationOptions>();
    add_invite_options(leaf(peer, "invite", "Print a line that lets somebody in", invite), *invite);
    const auto joining = std::make_shared<JoinOptions>();
    add_join_options(leaf(peer, "join", "Use a line that somebody has sent", joining), *joining);

    const auto confirm = std::make_shared<InvitationOptions>();
    confirm->action = Action::confirm;
    CLI::App& confirm_command =
        leaf(peer, "confirm", "Let in whoever sees these six digits", confirm);
    confirm_command.footer(
        "Ask whom you have invited for the digits that the join shows, over a way by which you "
        "know "
        "who speaks. Whoever else has got hold of the line sees others.");
    metavar(confirm_command.add_option("DIGITS", confirm->word, "As the other side tells them"),
            "DIGITS")
        ->required();

    const auto list = std::make_shared<InvitationOptions>();
    list->action = Action::list;
    leaf(peer, "invitations", "Show the invitations, and who waits to be confirmed", list);

    const auto uninvite = std::make_shared<InvitationOptions>();
    uninvite->action = Action::take_back;
    CLI::App& uninvite_command = leaf(peer, "uninvite", "Take an invitation back", uninvite);
    metavar(uninvite_command.add_option("ID", uninvite->word, "As peer invitations shows it"), "ID")
        ->required();
}

void Grammar::add_token_commands() {
    using Action = TokenOptions::Action;
    CLI::App& token = *root_.add_subcommand("token", "Make and take back tokens");
    token.require_subcommand(1);

    const auto add = std::make_shared<TokenOptions>();
    add->action = Action::add;
    CLI::App& add_command = leaf(token, "add", "Make a token and print it, this once", add);
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
    leaf(token, "list", "Show which tokens there are", list);

    const auto remove = std::make_shared<TokenOptions>();
    remove->action = Action::remove;
    CLI::App& remove_command = leaf(token, "remove", "Take a token back", remove);
    metavar(remove_command.add_option("ID", remove->id, "Its id, which is how it begins"), "ID")
        ->required();

    CLI::App& access = *root_.add_subcommand("access", "Explain who may do what");
    access.require_subcommand(1);
    const auto check = std::make_shared<AccessCheckOptions>();
    CLI::App& check_command =
        leaf(access, "check", "Say what would be decided, why, and what would change it", check);
    check_command.footer("The exit code is 0 if it is allowed, else 5.");
    metavar(check_command.add_option("--peer", check->peer, "Who asks"), "NAME")->required();
    metavar(check_command.add_option("--do", check->scope,
                                     "What for: SERVICE:ACTION or SERVICE:ACTION:RESOURCE"),
            "SCOPE")
        ->required();
}

void Grammar::add_identity(CLI::App& command) {
    metavar(command.add_option("-i,--identity", identity_,
                               "Show this private key instead of the home's: Ed25519, as alknet, "
                               "openssl or ssh-keygen write it"),
            "FILE");
}

void Grammar::add_known_commands() {
    CLI::App& known = *root_.add_subcommand("known", "Say what bare hosts are known to be");
    known.require_subcommand(1);
    CLI::App& list = leaf(known, "list", "Show each host, and what it has to prove",
                          std::make_shared<KnownOptions>());
    list.footer(
        "A host that was named without a node id is known from its first time on: as ca if "
        "certificate authorities verified it, else by the key or certificate that it showed and "
        "somebody agreed to. It is never accepted as anything else.");
    const auto remove = std::make_shared<KnownOptions>();
    remove->action = KnownOptions::Action::remove;
    CLI::App& remove_command =
        leaf(known, "remove", "Forget a host, so that its next time is the first", remove);
    metavar(remove_command.add_option("HOST", remove->name, "Which one"), "HOST[:PORT]")
        ->required();
}

void Grammar::add_network_commands() {
    const auto ping = std::make_shared<PingOptions>();
    CLI::App& ping_command = leaf(root_, "ping", "Measure handshake and round trips", ping);
    add_identity(ping_command);
    ping_command.footer(std::string(kAddressDetails));
    add_address(ping_command, ping->address);
    add_wishes(ping_command, ping->wishes);
    auto* const all = ping_command.add_flag("--all-transports", ping->all_transports,
                                            "Try every way to the node, and print a line for each");
    add_count(ping_command, "--count", ping->count, "How many round trips")->excludes(all);
    add_duration(ping_command, "--interval", ping->interval, "Time between them")->excludes(all);
    add_duration(ping_command, "--timeout", ping->timeout, "How long each of them may take");

    const auto pipe = std::make_shared<PipeOptions>();
    CLI::App& pipe_command =
        leaf(root_, "pipe", "Join standard input and output to a service", pipe);
    add_identity(pipe_command);
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
    CLI::App& probe_command = leaf(
        root_, "probe", "Find out what a node offers: services, identities, QUIC versions", probe);
    probe_command.footer(
        "Goes no further than handshakes. An unknown node is not trusted by this: nothing but the "
        "handshake is sent, and what is printed is what the node claims.");
    add_address(probe_command, probe->address);
    metavar(probe_command.add_option("--alpn", probe->alpns,
                                     "Ask for this service too; may be repeated"),
            "NAME");
    add_duration(probe_command, "--timeout", probe->timeout, "How long each handshake may take");
}

void Grammar::add_doctor_commands() {
    const auto doctor = std::make_shared<DoctorOptions>();
    CLI::App& doctor_command =
        leaf(root_, "doctor", "Say what does not work, why, and what to do about it", doctor);
    add_identity(doctor_command);
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
    CLI::App& paths_command =
        leaf(root_, "paths", "Show each way to a node, and which one is taken", paths);
    add_identity(paths_command);
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
    add_bench_command();
}

void Grammar::add_bench_command() {
    const auto bench = std::make_shared<BenchOptions>();
    CLI::App& bench_command =
        leaf(root_, "bench", "Measure how much a node can be sent, and what limits it", bench);
    add_identity(bench_command);
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

void Grammar::add_help_commands() {
    const auto explain = std::make_shared<ExplainOptions>();
    CLI::App& explain_command = leaf(root_, "explain", "Tell more about an error", explain);
    metavar(explain_command.add_option("ID", explain->id,
                                       "Such as E-TLS-KEY-MISMATCH; without it, list them all"),
            "ID");

    const auto completion = std::make_shared<CompletionOptions>();
    CLI::App& completion_command =
        leaf(root_, "completion", "Print what makes a shell complete alknet's words", completion);
    completion_command.footer(
        "For example: alknet completion bash >"
        " ~/.local/share/bash-completion/completions/alknet");
    add_choice<std::string>(completion_command, "SHELL", completion->shell,
                            {{"bash", "bash"}, {"fish", "fish"}, {"zsh", "zsh"}}, "Which shell")
        ->required();

    const auto manual = std::make_shared<ManualOptions>();
    CLI::App& manual_command = leaf(root_, "manual", "Print a manual page, for man -l -", manual);
    add_choice<std::string>(manual_command, "PAGE", manual->page,
                            {{"alknet", "alknet"}, {"alknet.toml", "alknet.toml"}}, "Which page")
        ->required();

    const auto help = std::make_shared<HelpOptions>();
    CLI::App& help_command = leaf(root_, "help", "Explain a command, or the exit codes", help);
    metavar(help_command.add_option("TOPIC", help->topic, "A command, or exit-codes"), "TOPIC");

    leaf(root_, "version", "Print the version", std::make_shared<VersionOptions>());
}

const CLI::App* Grammar::chosen() const {
    for (const auto& [command, verb] : leaves_) {
        if (command->parsed()) {
            return command;
        }
    }
    return nullptr;
}

CommandLine Grammar::take() {
    CommandLine line;
    line.identity = identity_;
    if (!home_.empty()) {
        line.home = home_;
    }
    line.json = json_;
    line.verb = VersionOptions();
    for (const auto& [command, verb] : leaves_) {
        if (command->parsed()) {
            line.verb = verb();
        }
    }
    return line;
}

std::vector<const CLI::App*> Grammar::leaves() const {
    std::vector<const CLI::App*> all;
    for (const auto& [command, verb] : leaves_) {
        all.push_back(command);
    }
    return all;
}

std::string full_name(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    const bool below_root = parent == nullptr || parent->get_parent() == nullptr;
    return below_root ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

OptionInfo describe(const CLI::Option& option) {
    OptionInfo info;
    for (const std::string& name : option.get_lnames()) {
        info.names.push_back("--" + name);
    }
    for (const std::string& name : option.get_snames()) {
        info.names.push_back("-" + name);
    }
    info.value = option.get_expected_max() == 0 ? "" : option.get_type_name();
    info.about = option.get_description();
    info.required = option.get_required();
    info.repeatable = option.get_expected_max() > 1;
    return info;
}

CommandInfo describe(const CLI::App& command) {
    CommandInfo info{.name = full_name(command),
                     .about = command.get_description(),
                     .details = command.get_footer(),
                     .options = {}};
    for (const CLI::Option* option : command.get_options()) {
        info.options.push_back(describe(*option));
    }
    return info;
}

// Of the arguments that CLI11 did not expect, the one that a person has to correct: an option, for
// what follows it may only be its value.
std::string first_extra(const CLI::ExtrasError& failure) {
    const std::string text = failure.what();
    const std::size_t colon = text.rfind(": ");
    std::istringstream extras(colon == std::string::npos ? text : text.substr(colon + 2));
    std::string first;
    for (std::string word; extras >> word;) {
        if (word.starts_with('-') || first.empty()) {
            first = word;
        }
    }
    return first;
}

error unknown_word(const std::string& word, const CLI::App* command) {
    if (command == nullptr && !word.starts_with('-')) {
        return unknown_command(word);
    }
    std::vector<std::string> names;
    if (command != nullptr && word.starts_with('-')) {
        for (const OptionInfo& option : describe(*command).options) {
            names.insert(names.end(), option.names.begin(), option.names.end());
        }
    }
    const std::string_view meant = config::nearest_name(word, {names.begin(), names.end()});
    std::string text = "'" + word + "' is not expected";
    if (command != nullptr) {
        text += " by alknet " + full_name(*command);
    }
    return error(causes::kUsage,
                 meant.empty() ? text : text + "; did you mean '" + std::string(meant) + "'?");
}

result<CommandLine> parse_with(Grammar& grammar, int argc, const char* const* argv) {
    try {
        grammar.root().parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        CommandLine line = grammar.take();
        const CLI::App* chosen = grammar.chosen();
        line.verb = HelpOptions{chosen == nullptr ? "" : full_name(*chosen)};
        return line;
    } catch (const CLI::ExtrasError& failure) {
        return unexpected(unknown_word(first_extra(failure), grammar.chosen()));
    } catch (const CLI::ParseError& failure) {
        return fail(causes::kUsage, failure.what());
    }
    if (grammar.chosen() == nullptr && grammar.root().count("--version") == 0) {
        return fail(causes::kUsage, "a command is missing");
    }
    return grammar.take();
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, const char* const* argv) {
    const bool json = std::any_of(
        argv, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
    Grammar grammar;
    return {.outcome = parse_with(grammar, argc, argv), .json = json};
}

std::vector<CommandInfo> describe_commands() {
    const Grammar grammar;
    std::vector<CommandInfo> all;
    for (const CLI::App* command : grammar.leaves()) {
        all.push_back(describe(*command));
    }
    return all;
}

}  // namespace alknet::app
