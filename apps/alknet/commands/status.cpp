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

std::string as_text(const Json& info) {
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
    return text + fmt::format("  knows        {} peers\n", number(info, "peers"));
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const StatusOptions& /*options*/) {
    ALKNET_TRY(const Json info, ask(line, "node/info"));
    ALKNET_CHECK(line.json ? print_line(info.text()) : print_text(as_text(info)));
    return ExitCode::ok;
}

result<ExitCode> run(const CommandLine& line, const ReloadOptions& /*options*/) {
    ALKNET_TRY(const Json output, ask(line, "config/reload"));
    ALKNET_CHECK(print_line(line.json ? output.text() : std::string("reloaded")));
    return ExitCode::ok;
}

}  // namespace alknet::app
