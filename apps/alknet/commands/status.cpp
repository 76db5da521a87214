// alknet status, alknet reload: what only a running node can answer.
#include <fmt/format.h>
#include <alknet/base/causes.hpp>

#include "commands.hpp"
#include "control_client.hpp"
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

std::uint64_t number(const Json& info, std::string_view name) {
    const Json* member = info.find(name);
    return member == nullptr ? 0 : member->as_unsigned().value_or(0);
}

std::string_view transports(const Json& listener) {
    const auto has = [&](std::string_view name) {
        const Json* member = listener.find(name);
        return member != nullptr && member->as_bool() != nullptr && *member->as_bool();
    };
    return has("quic") && has("tcp") ? "QUIC and TCP" : has("quic") ? "QUIC" : "TCP";
}

std::string connection_text(const Json& one) {
    const std::string_view who =
        one.text_of("peer").empty() ? std::string_view("a stranger") : one.text_of("peer");
    return fmt::format("    {}  {} over {} from {}, {}, {} s, {} in, {} out\n", one.text_of("id"),
                       one.text_of("service"), one.text_of("transport"), one.text_of("remote"), who,
                       number(one, "age_s"), number(one, "bytes_received"),
                       number(one, "bytes_sent"));
}

std::string as_text(const Json& info, const Json& connections) {
    std::string text = fmt::format("{} of alknet {} runs in {}\n", info.text_of("fingerprint"),
                                   info.text_of("version"), info.text_of("home"));
    text += fmt::format("  since        {} s, as process {}\n", number(info, "uptime_s"),
                        number(info, "process"));
    const Json* listeners = info.find("listeners");
    if (listeners != nullptr && listeners->as_array() != nullptr) {
        for (const Json& one : *listeners->as_array()) {
            text += fmt::format("  listens      {} ({}, {})\n", one.text_of("address"),
                                transports(one), one.text_of("name"));
        }
    }
    text += fmt::format("  connections  {}, and {} handshakes\n", number(info, "connections"),
                        number(info, "half_open"));
    const Json* all = connections.find("connections");
    if (all != nullptr && all->as_array() != nullptr) {
        for (const Json& one : *all->as_array()) {
            text += connection_text(one);
        }
    }
    return text + fmt::format("  knows        {} peers\n", number(info, "peers"));
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const StatusOptions& /*options*/) {
    ALKNET_TRY(const Json info, ask(line, "node/info"));
    ALKNET_TRY(const Json connections, ask(line, "node/connections"));
    if (!line.json) {
        ALKNET_CHECK(print_text(as_text(info, connections)));
        return ExitCode::ok;
    }
    Json::Object all = *info.as_object();
    all.emplace_back("open", *connections.find("connections"));
    ALKNET_CHECK(print_line(Json(std::move(all)).text()));
    return ExitCode::ok;
}

result<ExitCode> run(const CommandLine& line, const ReloadOptions& /*options*/) {
    ALKNET_TRY(const Json output, ask(line, "config/reload"));
    ALKNET_CHECK(print_line(line.json ? output.text() : std::string("reloaded")));
    return ExitCode::ok;
}

}  // namespace alknet::app
