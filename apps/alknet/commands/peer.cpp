// alknet peer: who is known, and what they may do. The work is done at the desk.
#include <fmt/format.h>

#include "commands.hpp"
#include "control_client.hpp"
#include "output.hpp"
#include "outputs.hpp"

namespace alknet::app {

namespace {

using Action = PeerOptions::Action;

std::string_view operation_of(Action action) {
    switch (action) {
        case Action::add:
            return "peers/add";
        case Action::remove:
            return "peers/remove";
        case Action::disable:
            return "peers/disable";
        case Action::enable:
            return "peers/enable";
        case Action::renew:
            return "peers/renew";
        case Action::rename:
            return "peers/name";
        case Action::scopes:
            return "peers/scopes";
        case Action::list:
            break;
    }
    return "peers/list";
}

Json input_of(const PeerOptions& options) {
    const Word name{.value = options.name};
    const bool force = options.force;
    switch (options.action) {
        case Action::add:
            return call::to_json(PeerAddInput{.name = name,
                                              .force = force,
                                              .keys = words_of(options.keys),
                                              .scopes = words_of(options.scopes),
                                              .roles = words_of(options.roles),
                                              .expires = given(options.expires),
                                              .address = given(options.address),
                                              .resources = words_of(options.resources),
                                              .renew = given(options.renew)});
        case Action::renew:
            return call::to_json(PeerRenewInput{.name = name,
                                                .force = force,
                                                .expires = given(options.expires),
                                                .renew = given(options.renew)});
        case Action::rename:
            return call::to_json(PeerRenameInput{
                .name = name, .force = force, .new_name = {.value = options.new_name}});
        case Action::scopes:
            return call::to_json(PeerScopesInput{.name = name,
                                                 .force = force,
                                                 .set = words_of(options.set),
                                                 .add = words_of(options.added),
                                                 .remove = words_of(options.removed),
                                                 .none = options.none,
                                                 .resources = words_of(options.resources),
                                                 .add_roles = words_of(options.added_roles),
                                                 .remove_roles = words_of(options.removed_roles)});
        case Action::list:
            return call::to_json(Nothing());
        default:
            return call::to_json(PeerInput{.name = name, .force = force});
    }
}

std::string line_of(std::string_view word, std::string_view text) {
    return text.empty() ? std::string() : fmt::format("  {:<8} {}\n", word, printable(text));
}

std::string lines_of(std::string_view word, const std::vector<std::string>& texts) {
    std::string lines;
    for (const std::string& text : texts) {
        lines += line_of(word, text);
    }
    return lines;
}

std::string as_text(const PeerEntry& peer) {
    return fmt::format("{} ({})\n", peer.name, peer.standing) + lines_of("key", peer.keys) +
           lines_of("role", peer.roles) + lines_of("scope", peer.scopes) +
           lines_of("resource", peer.resources) + line_of("expires", peer.expires.value_or("")) +
           line_of("renew", peer.renew.value_or("")) +
           line_of("address", peer.address.value_or("")) + line_of("from", peer.origin);
}

std::string as_text(const PeerEntries& entries) {
    std::string text = entries.peers.empty()
                           ? "nobody is known; add somebody: alknet peer add NAME --key KEY\n"
                           : "";
    for (const PeerEntry& peer : entries.peers) {
        text += as_text(peer);
    }
    return text + lines_of("refused:", entries.refused);
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const PeerOptions& options) {
    ALKNET_TRY(const Json output,
               at_own_node(line, operation_of(options.action), input_of(options)));
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
    } else if (options.action == Action::list) {
        ALKNET_TRY(const auto entries, answered<PeerEntries>(output));
        ALKNET_CHECK(print_text(as_text(entries)));
    } else {
        ALKNET_TRY(const auto changed, answered<PeerChanged>(output));
        ALKNET_CHECK(print_line(fmt::format("{} {}", changed.done, changed.peer.name)));
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
