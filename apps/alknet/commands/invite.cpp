// alknet peer invite, invitations, confirm, uninvite: the inviting side. The work is done at the
// desk.
#include <fmt/format.h>
#include <unistd.h>
#include <alknet/config/units.hpp>
#include <span>

#include "commands.hpp"
#include "control_client.hpp"
#include "inputs.hpp"
#include "output.hpp"
#include "qr_text.hpp"

namespace alknet::app {

namespace {

using Action = InvitationOptions::Action;

bool is_true(const Json& of, std::string_view member) {
    const Json* found = of.find(member);
    return found != nullptr && found->as_bool() != nullptr && *found->as_bool();
}

std::uint64_t number_of(const Json& of, std::string_view member) {
    const Json* found = of.find(member);
    return found == nullptr ? 0 : found->as_unsigned().value_or(0);
}

std::span<const Json> array_of(const Json& of, std::string_view member) {
    const Json* found = of.find(member);
    return found == nullptr || found->as_array() == nullptr ? std::span<const Json>()
                                                            : *found->as_array();
}

Json input_of(const InvitationOptions& options) {
    return call::to_json(
        InvitationAddInput{.scopes = words_of(options.scopes),
                           .ttl = Word{.value = config::duration_text(options.ttl)},
                           .uses = options.uses,
                           .for_ = given(options.only_for),
                           .confirm = options.confirm,
                           .name = given(options.name),
                           .as = given(options.as),
                           .addresses = words_of(options.addresses)});
}

result<ExitCode> make(const CommandLine& line, const InvitationOptions& options) {
    ALKNET_TRY(const Json made, at_own_node(line, "invitations/add", input_of(options)));
    if (line.json) {
        ALKNET_CHECK(print_line(made.text()));
        return ExitCode::ok;
    }
    const std::string text(made.text_of("invitation"));
    ALKNET_CHECK(print_line(text));
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    if (options.qr || (terminal && !options.no_qr)) {
        ALKNET_TRY(const std::string code, qr_text(text, terminal));
        ALKNET_CHECK(print_text(code));
    }
    if (terminal) {
        const std::uint64_t uses = number_of(made, "uses");
        ALKNET_CHECK(print_line(fmt::format(
            "good until {}, for {}; take it back: alknet peer uninvite {}", made.text_of("expires"),
            uses == 1 ? "one" : fmt::format("{} others", uses), made.text_of("id"))));
    }
    if (terminal && is_true(made, "confirm")) {
        ALKNET_CHECK(
            print_line("ask for the six digits that the other side sees, then: alknet peer confirm "
                       "DIGITS"));
    }
    return ExitCode::ok;
}

std::string as_text(const Json& one) {
    std::string text = fmt::format("{} ({})\n  until    {}\n", one.text_of("id"),
                                   one.text_of("standing"), one.text_of("expires"));
    text += fmt::format("  uses     {} left\n", number_of(one, "uses_left"));
    for (const Json& scope : array_of(one, "scopes")) {
        text += fmt::format("  scope    {}\n",
                            scope.as_string() == nullptr ? "" : printable(*scope.as_string()));
    }
    if (const std::string_view only_for = one.text_of("for"); !only_for.empty()) {
        text += fmt::format("  for      {}\n", only_for);
    }
    if (const std::uint64_t alarms = number_of(one, "alarms"); alarms != 0) {
        text += fmt::format("  alarms   {}: somebody else has seen the line\n", alarms);
    }
    for (const Json& claim : array_of(one, "waiting")) {
        text += fmt::format("  waiting  {} {} sees {}\n", printable(claim.text_of("name")),
                            claim.text_of("key"), claim.text_of("digits"));
    }
    return text;
}

result<ExitCode> list(const CommandLine& line) {
    ALKNET_TRY(const Json output, at_own_node(line, "invitations/list", Json::object({})));
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
        return ExitCode::ok;
    }
    std::string text;
    for (const Json& one : array_of(output, "invitations")) {
        text += as_text(one);
    }
    ALKNET_CHECK(print_text(text.empty() ? "there are no invitations\n" : text));
    return ExitCode::ok;
}

result<ExitCode> take_back(const CommandLine& line, const InvitationOptions& options) {
    ALKNET_TRY(const Json output,
               at_own_node(line, "invitations/remove",
                           call::to_json(InvitationInput{.id = {.value = options.word}})));
    ALKNET_CHECK(print_line(line.json ? output.text() : "taken back; who has joined by it stays"));
    return ExitCode::ok;
}

result<ExitCode> confirm(const CommandLine& line, const InvitationOptions& options) {
    ALKNET_TRY(
        const Json output,
        at_own_node(line, "invitations/confirm",
                    call::to_json(InvitationConfirmInput{.digits = {.value = options.word}})));
    const std::span<const Json> keys = array_of(output, "keys");
    const std::string key =
        keys.empty() || keys.front().as_string() == nullptr ? "" : *keys.front().as_string();
    ALKNET_CHECK(print_line(
        line.json ? output.text() : fmt::format("confirmed {} ({})", output.text_of("name"), key)));
    return ExitCode::ok;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const InvitationOptions& options) {
    switch (options.action) {
        case Action::make:
            return make(line, options);
        case Action::confirm:
            return confirm(line, options);
        case Action::take_back:
            return take_back(line, options);
        case Action::list:
            break;
    }
    return list(line);
}

}  // namespace alknet::app
