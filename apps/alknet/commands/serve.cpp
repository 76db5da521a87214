// alknet serve: the node, from its home to its end.
#include <sys/resource.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/call/operation_home.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/file_watch.hpp>
#include <alknet/rt/loop_group.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/signals.hpp>
#include <alknet/rt/suspend_detector.hpp>
#include <alknet/rt/watchdog.hpp>
#include <array>
#include <csignal>
#include <limits>
#include <utility>

#include "after_start.hpp"
#include "commands.hpp"
#include "control_client.hpp"
#include "control_server.hpp"
#include "imports.hpp"
#include "node.hpp"
#include "node_operations.hpp"
#include "notify.hpp"
#include "output.hpp"
#include "peers.hpp"
#include "programs.hpp"

namespace alknet::app {

namespace {

constexpr Duration kWatchAgainDelay = std::chrono::seconds(1);
constexpr Duration kSettleDelay = std::chrono::seconds(1);
/// Whoever is removed is out within a second, however often the files are written meanwhile.
constexpr FileWatchOptions kWatching{.quiet = std::chrono::milliseconds(200),
                                     .longest = std::chrono::milliseconds(500)};

// A file whose change asks for a reload.
struct Watched {
    std::filesystem::path file;
    std::unique_ptr<FileWatch> watch;
};

result<Watched> watch_file(Loop& loop, std::filesystem::path file) {
    ALKNET_TRY(auto watch, FileWatch::open(loop, file, kWatching));
    return Watched{.file = std::move(file), .watch = std::move(watch)};
}

struct Serving {
    const CommandLine& line;
    const ServeOptions& options;
    Loop& loop;
    config::Home home;
    Watched config_watch;
    Watched state_watch;
    config::Config config;
    NodeOptions node_options;
    Notifier notifier = Notifier::from_environment();
    std::unique_ptr<Node> node;
    std::unique_ptr<net::UnixListener> control;  // null: there is none
    Event reload_wanted;
    bool reload_asked = false;  // by somebody, rather than by a change of the file
    // Of those who wait for one, and how the last of them went.
    std::uint64_t reloads_wanted = 0;
    std::uint64_t reloads_done = 0;
    result<void> reload_outcome{};
    WaitList reloaded{};
    std::shared_ptr<LogFeed> logs{};
    // What the control socket and alknet/call serve.
    std::shared_ptr<call::OperationHome> operation_home{};
    std::shared_ptr<call::OperationRegistry> operations{};
    std::unique_ptr<NodePrograms> programs{};  // null: there are none
    std::unique_ptr<NodeImports> imports{};
};

// Each connection over TCP is a descriptor, and the usual soft limit is 1024.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

// HOST:PORT, where a free port may be asked for with 0, which is nobody's address to dial.
result<NodeAddress> parse_listen(std::string_view text) {
    constexpr std::string_view kFreePort = ":0";
    const bool free_port = text.ends_with(kFreePort);
    auto address =
        NodeAddress::parse(free_port ? text.substr(0, text.size() - kFreePort.size()) : text);
    if (!address) {
        return unexpected(std::move(address).error().within("--listen " + std::string(text)));
    }
    if (address->id || address->host.empty() || (free_port && address->port)) {
        return fail(causes::kAddressInvalid, "--listen takes HOST:PORT, not " + std::string(text));
    }
    address->port = free_port ? 0 : address->port.value_or(kDefaultPort);
    return address;
}

// --listen takes names too.
task<result<std::vector<config::Listener>>> listeners_given(Serving& serving) {
    std::vector<config::Listener> listeners;
    for (const std::string& text : serving.options.listen) {
        ALKNET_CO_TRY(const NodeAddress address, parse_listen(text));
        config::Listener listener;
        listener.name = "listen-" + std::to_string(listeners.size() + 1);
        ALKNET_CO_TRY(listener.addresses, co_await serving.node_options.network->resolve(
                                              serving.loop, address.host, *address.port));
        listeners.push_back(std::move(listener));
    }
    co_return listeners;
}

result<void> announce(const Serving& serving, const std::vector<Listening>& open) {
    const NodeId& id = serving.node->id();
    for (const Listening& one : open) {
        const std::string address = one.bound.to_string();
        if (serving.line.json) {
            ALKNET_CHECK(print_line(Json::object({{"event", "listening"},
                                                  {"listener", one.options.name},
                                                  {"address", address},
                                                  {"quic", one.options.quic},
                                                  {"tcp", one.options.tcp},
                                                  {"node_id", id.hex()}})
                                        .text()));
        } else {
            const std::string transports = one.options.quic && one.options.tcp ? "QUIC and TCP"
                                           : one.options.quic                  ? "QUIC"
                                                                               : "TCP";
            std::string text = "listening on ";
            text.append(address).append(" (").append(transports).append(") as ");
            ALKNET_CHECK(print_line(text.append(id.fingerprint())));
        }
    }
    return {};
}

// systemd not hearing us is no reason to stop serving.
void tell(const Serving& serving, const result<void>& told) {
    if (!told) {
        serving.node->log().warn("notify.failed", {{"detail", told.error().detail()}});
    }
}

task<result<void>> feed_watchdog(Serving& serving) {
    for (const auto period = serving.notifier.watchdog(); period;) {
        tell(serving, serving.notifier.alive());
        ALKNET_CO_CHECK(co_await serving.loop.sleep(*period / 2));
    }
    co_return result<void>();
}

task<result<void>> reload(Serving& serving) {
    tell(serving, serving.notifier.reloading(serving.loop.refresh_now()));
    auto outcome = co_await serving.node->reload();
    tell(serving, serving.notifier.ready("serving"));
    co_return outcome;
}

// For somebody who wants to know when it is in force.
task<result<void>> reload_and_wait(Serving& serving, bool always) {
    serving.reload_asked = serving.reload_asked || always;
    const std::uint64_t mine = ++serving.reloads_wanted;
    serving.reload_wanted.set();
    while (serving.reloads_done < mine) {
        ALKNET_CO_CHECK(co_await serving.reloaded.wait());
    }
    co_return serving.reload_outcome;
}

// Once what the start has begun is done.
task<result<void>> settle(Serving& serving) {
    ALKNET_CO_CHECK(co_await serving.loop.sleep(kSettleDelay));
    give_back_start();
    co_return result<void>();
}

// One reload at a time, whoever wants it.
task<result<void>> reload_when_wanted(Serving& serving) {
    for (;;) {
        ALKNET_CO_CHECK(co_await serving.reload_wanted.wait());
        serving.reload_wanted.clear();
        const std::uint64_t wanted = serving.reloads_wanted;
        const bool asked = std::exchange(serving.reload_asked, false);
        serving.reload_outcome = {};
        // Somebody who asks may have new certificates.
        if (asked || co_await serving.node->edited()) {
            serving.reload_outcome = co_await reload(serving);
        } else {
            co_await serving.imports->recheck();
        }
        serving.reloads_done = wanted;
        serving.reloaded.wake_all();
    }
}

// The home was moved or taken away. Another may come in its place.
task<result<void>> watch_again(Serving& serving, Watched& watched) {
    for (;;) {
        ALKNET_CO_CHECK(co_await serving.loop.sleep(kWatchAgainDelay));
        auto again = watch_file(serving.loop, watched.file);
        if (again) {
            watched = *std::move(again);
            co_return result<void>();
        }
    }
}

task<result<void>> reload_when_changed(Serving& serving, Watched& watched) {
    for (;;) {
        const result<void> changed = co_await watched.watch->changed();
        if (!changed && changed.error().is(errc::cancelled)) {
            co_return changed;
        }
        if (!changed) {
            serving.node->log().warn("config.unwatched", {{"detail", changed.error().detail()}});
            ALKNET_CO_CHECK(co_await watch_again(serving, watched));
        }
        serving.reload_wanted.set();
    }
}

task<result<void>> watch_file_of_peers(Serving& serving, std::filesystem::path file) {
    Watched watched{.file = file, .watch = nullptr};
    auto opened = watch_file(serving.loop, std::move(file));
    if (opened) {
        watched = *std::move(opened);
    } else {
        serving.node->log().warn("config.unwatched", {{"detail", opened.error().detail()}});
        ALKNET_CO_CHECK(co_await watch_again(serving, watched));
    }
    serving.reload_wanted.set();  // it may have changed since it was read
    co_return co_await reload_when_changed(serving, watched);
}

// A reload may name another file.
task<result<void>> watch_authorized_keys(Serving& serving) {
    for (;;) {
        const std::filesystem::path file = serving.node->authorized_keys_file();
        TaskScope watching(serving.loop);
        if (!file.empty()) {
            watching.spawn(watch_file_of_peers(serving, file), "serve.watch_authorized_keys");
        }
        result<void> reloaded;
        while (reloaded && serving.node->authorized_keys_file() == file) {
            reloaded = co_await serving.reloaded.wait();
        }
        watching.cancel();
        (void)co_await watching.join();
        ALKNET_CO_CHECK(reloaded);
    }
}

task<result<void>> report_jumps(Serving& serving) {
    ALKNET_CO_TRY(const auto detector, SuspendDetector::told(serving.loop));
    for (;;) {
        ALKNET_CO_TRY(const TimeJump jump, co_await detector->next());
        const auto seconds = [](Duration d) { return std::chrono::duration<double>(d).count(); };
        serving.node->log().warn("clock.jump", {{"suspended", seconds(jump.suspended)},
                                                {"wall_step", seconds(jump.wall_step)}});
        serving.node->clock_changed();
    }
}

// Until somebody asks for the end.
task<result<void>> obey_signals(Serving& serving, Signals& signals) {
    for (;;) {
        ALKNET_CO_TRY(const int signal, co_await signals.next());
        if (signal != SIGHUP) {
            co_return result<void>();
        }
        serving.reload_asked = true;
        serving.reload_wanted.set();
    }
}

result<std::vector<std::unique_ptr<Watchdog>>> start_watchdogs(const Serving& serving) {
    std::vector<std::unique_ptr<Watchdog>> watchdogs;
    LoopGroup& loops = *serving.node_options.loops;
    for (std::size_t i = 0; i < loops.size(); ++i) {
        ALKNET_TRY(auto watchdog,
                   Watchdog::start(loops.at(i),
                                   {.loop_name = i == 0 ? "main" : "loop-" + std::to_string(i + 1),
                                    .log = serving.node->log(),
                                    .metrics = serving.node->metrics()}));
        watchdogs.push_back(std::move(watchdog));
    }
    return watchdogs;
}

// The node serves others without it, and says so.
void listen_for_commands(Serving& serving) {
    auto listener = net::listen_unix(serving.loop, control_socket(serving.home));
    if (listener) {
        serving.control = *std::move(listener);
    } else {
        serving.node->log().error("control.failed", {{"detail", listener.error().message()}});
    }
}

result<void> offer_operations(Serving& serving) {
    NodeOperationsOptions operations{
        .loop = serving.loop,
        .home = serving.home,
        .state = serving.node->state(),
        .info =
            [&serving] {
                NodeInfo info = serving.node->info();
                if (serving.programs != nullptr) {
                    info.programs = serving.programs->info();
                }
                return info;
            },
        .listening = [&serving] { return serving.node->listening(); },
        .connections = [&serving] { return serving.node->endpoint().list_connections(); },
        .close = [&serving](
                     std::string_view id) { return serving.node->endpoint().close_connection(id); },
        .may_use =
            [&serving](std::string_view service, Transport transport,
                       const std::optional<Identity>& caller) {
                return serving.node->may_use(service, transport, caller);
            },
        .reload = [&serving](bool always) { return reload_and_wait(serving, always); },
        .take_key_back = [&serving] { return serving.node->take_key_back(); },
        .events = serving.node_options.events,
        .logs = serving.logs,
        .metrics = serving.node->metrics(),
        .paths = [&serving](std::string peer) { return serving.node->paths(std::move(peer)); }};
    ALKNET_CHECK(add_import_operations(*serving.operations, *serving.imports));
    ALKNET_CHECK(serving.node->add_ssh_operations_to(*serving.operations));
    return add_node_operations(*serving.operations, std::move(operations));
}

task<result<void>> obey_commands(Serving& serving) {
    if (serving.control == nullptr) {
        co_return result<void>();
    }
    call::CallAdapterOptions options;
    options.registry = serving.operations;
    options.identities = serving.node->resolver();
    options.metrics = serving.node->metrics();
    auto adapter = std::make_shared<call::CallAdapter>(std::move(options));
    serving.node->set_local(adapter);
    co_return co_await serve_control(serving.loop, std::move(serving.control),
                                     control_socket(serving.home), std::move(adapter),
                                     serving.node->log());
}

task<result<void>> run_until_told(Serving& serving, Signals& signals) {
    ALKNET_CO_TRY(const auto watchdogs, start_watchdogs(serving));
    TaskScope background(serving.loop);
    background.spawn(feed_watchdog(serving), "serve.feed_watchdog");
    background.spawn(reload_when_wanted(serving), "serve.reload");
    background.spawn(reload_when_changed(serving, serving.config_watch), "serve.watch_config");
    background.spawn(reload_when_changed(serving, serving.state_watch), "serve.watch_state");
    background.spawn(watch_authorized_keys(serving), "serve.watch_authorized_keys");
    background.spawn(serving.node->watch_terms(), "serve.watch_terms");
    background.spawn(serving.node->watch_pending(), "serve.watch_pending");
    background.spawn(serving.node->serve_ssh(), "serve.ssh");
    background.spawn(serving.node->serve_status(), "serve.status");
    background.spawn(serving.node->announce_key(), "serve.announce_key");
    background.spawn(report_jumps(serving), "serve.report_jumps");
    background.spawn(settle(serving), "serve.settle");
    background.spawn(serving.node->retry_listeners(), "serve.retry_listeners");
    TaskScope control(serving.loop);
    control.spawn(obey_commands(serving), "serve.control");
    auto ended = co_await obey_signals(serving, signals);
    tell(serving, serving.notifier.stopping());
    // What was called ends while reloads still work.
    control.cancel();
    (void)co_await control.join();
    background.cancel();
    (void)co_await background.join();
    // What peers still call ends too: a change is in force where nobody is served any more.
    serving.reload_outcome = {};
    serving.reloads_done = std::numeric_limits<std::uint64_t>::max();
    serving.reloaded.wake_all();
    co_return ended;
}

void prepare_imports(Serving& serving) {
    serving.imports =
        std::make_unique<NodeImports>(serving.loop, Log(serving.node_options.log_sink));
    serving.operations->add(serving.imports->operations());
}

result<void> prepare_programs(Serving& serving) {
    ALKNET_TRY(serving.programs,
               make_programs(serving.loop, serving.config.fixed.programs, serving.home.directory(),
                             Log(serving.node_options.log_sink)));
    if (serving.programs != nullptr) {
        serving.node_options.services = serving.programs->services();
        for (auto& source : serving.programs->operations()) {
            serving.operations->add(source);
        }
    }
    return {};
}

task<result<void>> serve(Serving& serving, Signals& signals) {
    ALKNET_CO_TRY(serving.node_options.listeners, co_await listeners_given(serving));
    serving.operation_home = call::OperationHome::create(serving.loop);
    serving.operations = std::make_shared<call::OperationRegistry>(serving.operation_home);
    serving.node_options.operations = serving.operations;
    serving.node_options.events = std::make_shared<EventFeed>(serving.loop);
    ALKNET_CO_CHECK(prepare_programs(serving));
    prepare_imports(serving);
    ALKNET_CO_TRY(serving.node,
                  Node::create(serving.loop, serving.home, serving.config, serving.node_options));
    ALKNET_CO_CHECK(offer_operations(serving));
    serving.node->set_recheck([&serving] { return serving.imports->recheck(); });
    // What calls need that are answered until the end.
    TaskScope behind(serving.loop);
    behind.spawn(serving.imports->run(*serving.node), "serve.imports");
    if (serving.programs != nullptr) {
        behind.spawn(serving.programs->run(), "serve.programs");
    }
    result<void> outcome;
    const auto open = serving.node->listen();
    if (open) {
        listen_for_commands(serving);  // before anybody is told that the node is there
    }
    if (!open) {
        outcome = unexpected(open.error());
    } else if (outcome = announce(serving, *open); outcome) {
        tell(serving, serving.notifier.ready("serving"));
        outcome = co_await run_until_told(serving, signals);
    }
    co_await serving.node->stop();
    co_await serving.operation_home->close();
    behind.cancel();
    (void)co_await behind.join();
    co_return outcome;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ServeOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const auto lock, lock_for_node(home));
    raise_descriptor_limit();
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    // Before the first thread, which would otherwise take the signals.
    ALKNET_TRY(const auto signals, Signals::open(*loop, std::array{SIGHUP, SIGTERM, SIGINT}));
    // Before the file is read, so that no change of it is missed.
    ALKNET_TRY(auto config_watch, watch_file(*loop, home.config_file()));
    // What commands write goes there first.
    ALKNET_TRY(auto state_watch, watch_file(*loop, state_file(home) += "-wal"));
    // A change that nobody confirmed in time is undone before anything else.
    ALKNET_TRY(const config::Undone undone, config::undo_change(home, clock.wall_now()));
    ALKNET_TRY(const std::string text, config::read_config_text(home.config_file()));
    ALKNET_TRY(const auto config, home.parse_config(text));
    const auto logs = std::make_shared<LogFeed>(*loop);
    ALKNET_TRY(const auto sink, open_log_sink(STDERR_FILENO, {.format = config.fixed.log_format,
                                                              .level = config.dynamic.log_level,
                                                              .also = logs,
                                                              .wall_clock = {},
                                                              .steady_clock = {}}));
    ALKNET_TRY(const auto loops, LoopGroup::start(*loop, config.fixed.loops));
    Serving serving{.line = line,
                    .options = options,
                    .loop = *loop,
                    .home = home,
                    .config_watch = std::move(config_watch),
                    .state_watch = std::move(state_watch),
                    .config = config,
                    .node_options = {.log_sink = sink,
                                     .network = net::make_system_network(),
                                     .listeners = {},
                                     .config_text = text,
                                     .undone = undone,
                                     .loops = loops.get(),
                                     .state_changed = {},
                                     .operations = {},
                                     .events = {}},
                    .node = nullptr,
                    .control = nullptr,
                    .reload_wanted = {},
                    .logs = logs};
    serving.node_options.state_changed = [&serving] {
        serving.loop.post([&serving] { serving.reload_wanted.set(); });
    };
    ALKNET_CHECK(block_on(*loop, serve(serving, *signals), "serve"));
    return ExitCode::ok;
}

}  // namespace alknet::app
