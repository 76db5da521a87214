// alknet token: API keys, and tokens of peers. The secret is printed once, when it is made. The
// work is done at the desk.
#include <fmt/format.h>

#include "commands.hpp"
#include "control_client.hpp"
#include "inputs.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

using Action = TokenOptions::Action;

result<void> show_list(const Json& output) {
    const Json* tokens = output.find("tokens");
    if (tokens == nullptr || tokens->as_array() == nullptr) {
        return {};
    }
    for (const Json& token : *tokens->as_array()) {
        std::string scopes;
        const Json* all = token.find("scopes");
        if (all != nullptr && all->as_array() != nullptr) {
            for (const Json& scope : *all->as_array()) {
                scopes += scopes.empty() ? "" : ",";
                scopes += scope.as_string() == nullptr ? "" : *scope.as_string();
            }
        }
        const std::string_view expires = token.text_of("expires");
        const std::string_view label = token.text_of("label");
        ALKNET_CHECK(print_line(fmt::format(
            "{}  {}  {}{}{}{}{}", token.text_of("id"), token.text_of("owner"), scopes,
            expires.empty() ? "" : "  until ", expires, label.empty() ? "" : "  ", label)));
    }
    return {};
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
        ALKNET_CHECK(print_line(output.text_of("token")));
    } else if (options.action == Action::remove) {
        ALKNET_CHECK(print_line("removed " + std::string(output.text_of("removed"))));
    } else {
        ALKNET_CHECK(show_list(output));
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
