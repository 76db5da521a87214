// alknet status, alknet reload: what only a running node can answer.
#include <fmt/format.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>

#include "commands.hpp"
#include "control_client.hpp"
#include "node_info.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

result<Json> ask(const CommandLine& line, std::string_view operation) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(auto answer, ask_running_node(home, operation, Json()));
    if (!answer) {
        return fail(causes::kNodeDown, "none listens at " + control_socket(home).native());
    }
    return *std::move(answer);
}

std::string_view transports(const ListenerInfo& listener) {
    return listener.quic && listener.tcp ? "QUIC and TCP" : listener.quic ? "QUIC" : "TCP";
}

std::string connection_text(const ConnectionSummary& one) {
    return fmt::format("    {}  {} over {} from {}, {}, {} s, {} in, {} out\n", one.id, one.service,
                       one.transport, one.remote, one.peer.value_or("a stranger"), one.age_s,
                       one.bytes_received, one.bytes_sent);
}

std::string program_text(const ProgramInfo& one) {
    std::string text = fmt::format("  program      {} is {}", one.name, one.state);
    if (one.process) {
        text += fmt::format(", as process {}, {} streams", *one.process, one.streams);
    }
    if (one.ends != 0) {
        text += fmt::format("; it has ended {} times, last with {}", one.ends,
                            one.last_end.value_or("nothing known"));
    }
    return text + "\n";
}

std::string waiting_text(std::uint64_t seconds) {
    return fmt::format("a change is undone in {} s, unless: alknet config confirm", seconds);
}

std::string as_text(const NodeInfo& info, const ConnectionList& list) {
    std::string text =
        fmt::format("{} of alknet {} runs in {}\n", info.fingerprint, info.version, info.home);
    text += fmt::format("  since        {} s, as process {}\n", info.uptime_s, info.process);
    if (info.next_key) {
        text += fmt::format("  next key     {}, from alknet key switch on\n", *info.next_key);
    }
    text += fmt::format("  revision     {}\n", info.revision);
    if (info.config_refused) {
        text += fmt::format("  refuses      what its files say now: {}\n",
                            printable(*info.config_refused));
    }
    if (info.undone_in_s) {
        text += fmt::format("  waits        {}\n", waiting_text(*info.undone_in_s));
    }
    for (const ListenerInfo& one : info.listeners) {
        text += fmt::format("  listens      {} ({}, {})\n", one.address, transports(one), one.name);
    }
    for (const ProgramInfo& one : info.programs) {
        text += program_text(one);
    }
    text += fmt::format("  connections  {}, and {} handshakes\n", info.connections, info.half_open);
    for (const ConnectionSummary& one : list.connections) {
        text += connection_text(one);
    }
    return text + fmt::format("  knows        {} peers\n", info.peers);
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const StatusOptions& /*options*/) {
    ALKNET_TRY(const Json info, ask(line, "node/info"));
    ALKNET_TRY(const Json connections, ask(line, "node/connections"));
    if (!line.json) {
        ALKNET_TRY(const auto about, answered<NodeInfo>(info));
        ALKNET_TRY(const auto list, answered<ConnectionList>(connections));
        ALKNET_CHECK(print_text(as_text(about, list)));
        return ExitCode::ok;
    }
    Json::Object all = *info.as_object();
    all.emplace_back("open", *connections.find("connections"));
    ALKNET_CHECK(print_line(Json(std::move(all)).text()));
    return ExitCode::ok;
}

result<ExitCode> run(const CommandLine& line, const ReloadOptions& /*options*/) {
    ALKNET_TRY(const Json output, ask(line, "config/reload"));
    ALKNET_TRY(const auto reloaded, answered<Reloaded>(output));
    std::string text = "reloaded";
    if (reloaded.undone_in_s) {
        text +=
            fmt::format("; {}: {}", causes::kConfigPending.id, waiting_text(*reloaded.undone_in_s));
    }
    ALKNET_CHECK(print_line(line.json ? output.text() : text));
    return ExitCode::ok;
}

}  // namespace alknet::app
