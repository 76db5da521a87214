// alknet sessions: who is logged in over SSH at one's own node, and what is forwarded for them.
#include <fmt/format.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>

#include "commands.hpp"
#include "control_client.hpp"
#include "output.hpp"
#include "ssh_operations.hpp"

namespace alknet::app {

namespace {

result<Json> ask(const CommandLine& line, std::string_view operation, const Json& input) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(auto answer, ask_running_node(home, operation, input));
    if (!answer) {
        return fail(causes::kNodeDown, "none listens at " + control_socket(home).native());
    }
    return *std::move(answer);
}

std::string as_text(const SshSessionList& sessions, const SshForwardList& forwards) {
    if (sessions.sessions.empty()) {
        return "nobody is logged in over SSH\n";
    }
    std::string text;
    for (const SshSessionInfo& one : sessions.sessions) {
        text += fmt::format("{}  {} from {}, {} s, {}, {} programs\n", one.id, printable(one.peer),
                            one.remote, one.age_s, one.fingerprint, one.programs);
        for (const SshForwardInfo& each : forwards.forwards) {
            if (each.session == one.id) {
                text += fmt::format("    {}  {} {}, {} s\n", each.id, each.kind,
                                    printable(each.place), each.age_s);
            }
        }
    }
    return text;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const SessionsOptions& options) {
    if (options.close) {
        ALKNET_TRY(const Json closed,
                   ask(line, "ssh/close", Json::object({{"id", Json(*options.close)}})));
        ALKNET_CHECK(print_line(line.json ? closed.text() : "closed"));
        return ExitCode::ok;
    }
    ALKNET_TRY(const Json sessions, ask(line, "ssh/sessions", Json()));
    ALKNET_TRY(const Json forwards, ask(line, "ssh/forwards", Json()));
    if (line.json) {
        Json::Object all = *sessions.as_object();
        all.emplace_back("forwards", *forwards.find("forwards"));
        ALKNET_CHECK(print_line(Json(std::move(all)).text()));
        return ExitCode::ok;
    }
    ALKNET_TRY(const auto list, answered<SshSessionList>(sessions));
    ALKNET_TRY(const auto carried, answered<SshForwardList>(forwards));
    ALKNET_CHECK(print_text(as_text(list, carried)));
    return ExitCode::ok;
}

}  // namespace alknet::app
