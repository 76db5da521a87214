// alknet peer: who is known, and what they may do. The work is done at the desk.
#include <fmt/format.h>

#include "commands.hpp"
#include "control_client.hpp"
#include "inputs.hpp"
#include "output.hpp"

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
                                              .address = given(options.address)});
        case Action::renew:
            return call::to_json(
                PeerRenewInput{.name = name, .force = force, .expires = given(options.expires)});
        case Action::rename:
            return call::to_json(PeerRenameInput{
                .name = name, .force = force, .new_name = {.value = options.new_name}});
        case Action::scopes:
            return call::to_json(PeerScopesInput{.name = name,
                                                 .force = force,
                                                 .set = words_of(options.set),
                                                 .add = words_of(options.added),
                                                 .remove = words_of(options.removed)});
        case Action::list:
            return call::to_json(Nothing());
        default:
            return call::to_json(PeerInput{.name = name, .force = force});
    }
}

std::string line_of(std::string_view word, std::string_view text) {
    return text.empty() ? std::string() : fmt::format("  {:<8} {}\n", word, printable(text));
}

std::string lines_of(std::string_view word, const Json* texts) {
    std::string lines;
    if (texts != nullptr && texts->as_array() != nullptr) {
        for (const Json& text : *texts->as_array()) {
            lines += text.as_string() == nullptr ? "" : line_of(word, *text.as_string());
        }
    }
    return lines;
}

std::string as_text(const Json& peer) {
    return fmt::format("{} ({})\n", peer.text_of("name"), peer.text_of("standing")) +
           lines_of("key", peer.find("keys")) + lines_of("role", peer.find("roles")) +
           lines_of("scope", peer.find("scopes")) + line_of("expires", peer.text_of("expires")) +
           line_of("address", peer.text_of("address")) + line_of("from", peer.text_of("origin"));
}

result<void> show_list(const Json& output) {
    const Json* peers = output.find("peers");
    if (peers == nullptr || peers->as_array() == nullptr || peers->as_array()->empty()) {
        ALKNET_CHECK(print_line("nobody is known; add somebody: alknet peer add NAME --key KEY"));
    } else {
        for (const Json& peer : *peers->as_array()) {
            ALKNET_CHECK(print_text(as_text(peer)));
        }
    }
    return print_text(lines_of("refused:", output.find("refused")));
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const PeerOptions& options) {
    ALKNET_TRY(const Json output,
               at_own_node(line, operation_of(options.action), input_of(options)));
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
    } else if (options.action == Action::list) {
        ALKNET_CHECK(show_list(output));
    } else {
        const Json* peer = output.find("peer");
        const std::string_view name = peer == nullptr ? "" : peer->text_of("name");
        ALKNET_CHECK(print_line(fmt::format("{} {}", output.text_of("done"), name)));
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
