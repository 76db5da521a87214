// alknet token: API keys, and tokens of peers. The secret is printed once, when it is made. The
// work is done at the desk.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "commands.hpp"
#include "control_client.hpp"
#include "output.hpp"
#include "outputs.hpp"

namespace alknet::app {

namespace {

using Action = TokenOptions::Action;

std::string as_text(const TokenEntry& token) {
    return fmt::format("{}  {}  {}{}{}{}{}\n", token.id, token.owner, fmt::join(token.scopes, ","),
                       token.expires ? "  until " : "", token.expires.value_or(""),
                       token.label.empty() ? "" : "  ", token.label);
}

result<void> show_list(const TokenEntries& entries) {
    std::string text;
    for (const TokenEntry& token : entries.tokens) {
        text += as_text(token);
    }
    return print_text(text);
}

Json added(const TokenOptions& options) {
    return call::to_json(TokenAddInput{.peer = given(options.peer),
                                       .scopes = words_of(options.scopes),
                                       .expires = given(options.expires),
                                       .label = given(options.label)});
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const TokenOptions& options) {
    Json input;
    std::string_view operation = "tokens/list";
    if (options.action == Action::add) {
        operation = "tokens/add";
        input = added(options);
    } else if (options.action == Action::remove) {
        operation = "tokens/remove";
        input = call::to_json(TokenInput{.id = {.value = options.id}});
    }
    ALKNET_TRY(const Json output, at_own_node(line, operation, std::move(input)));
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
    } else if (options.action == Action::add) {
        ALKNET_TRY(const auto made, answered<TokenAdded>(output));
        ALKNET_CHECK(print_line(made.token));
    } else if (options.action == Action::remove) {
        ALKNET_TRY(const auto gone, answered<TokenRemoved>(output));
        ALKNET_CHECK(print_line("removed " + gone.removed));
    } else {
        ALKNET_TRY(const auto entries, answered<TokenEntries>(output));
        ALKNET_CHECK(show_list(entries));
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
