// alknet import: what other nodes offer here. The work is done at the desk.
#include <fmt/format.h>

#include "commands.hpp"
#include "control_client.hpp"
#include "output.hpp"
#include "outputs.hpp"

namespace alknet::app {

namespace {

using Action = ImportOptions::Action;

result<void> show_list(const ImportEntries& entries) {
    std::string text;
    for (const ImportEntry& entry : entries.imports) {
        text += entry.peer.empty() ? fmt::format("{}  not in alknet.toml any more\n", entry.prefix)
                                   : fmt::format("{}  of peer {}\n", entry.prefix, entry.peer);
        for (const ImportedOperation& one : entry.operations) {
            text += fmt::format("    {}  {}{}{}\n", one.name, one.standing,
                                one.digest.empty() ? "" : "  ", one.digest);
        }
        if (entry.waiting) {
            text +=
                fmt::format("    to accept what is new or changed: alknet import accept {} {}\n",
                            entry.prefix, *entry.waiting);
        }
    }
    return print_text(text);
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ImportOptions& options) {
    const std::string_view operation = options.action == Action::accept   ? "imports/accept"
                                       : options.action == Action::remove ? "imports/remove"
                                                                          : "imports/list";
    Json input;
    if (options.action == Action::accept) {
        input = call::to_json(ImportAcceptInput{.prefix = {.value = options.prefix},
                                                .digest = {.value = options.digest}});
    } else if (options.action == Action::remove) {
        input = call::to_json(ImportInput{.prefix = {.value = options.prefix}});
    }
    ALKNET_TRY(const Json output, at_own_node(line, operation, std::move(input)));
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
    } else if (options.action == Action::list) {
        ALKNET_TRY(const auto entries, answered<ImportEntries>(output));
        ALKNET_CHECK(show_list(entries));
    } else {
        ALKNET_TRY(const auto changed, answered<ImportChanged>(output));
        ALKNET_CHECK(print_line(
            fmt::format("{} {} of {}", changed.done, changed.operations, changed.prefix)));
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
