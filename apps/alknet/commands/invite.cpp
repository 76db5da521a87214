// alknet peer invite, invitations, confirm, uninvite: the inviting side. The work is done at the
// desk.
#include <fmt/format.h>
#include <unistd.h>
#include <alknet/config/units.hpp>

#include "commands.hpp"
#include "control_client.hpp"
#include "output.hpp"
#include "outputs.hpp"
#include "qr_text.hpp"

namespace alknet::app {

namespace {

using Action = InvitationOptions::Action;

Json input_of(const InvitationOptions& options) {
    return call::to_json(
        InvitationAddInput{.scopes = words_of(options.scopes),
                           .ttl = Word{.value = config::duration_text(options.ttl)},
                           .uses = options.uses,
                           .for_ = given(options.only_for),
                           .confirm = options.confirm,
                           .name = given(options.name),
                           .as = given(options.as),
                           .addresses = words_of(options.addresses),
                           .expires = given(options.expires),
                           .renew = given(options.renew)});
}

result<ExitCode> make(const CommandLine& line, const InvitationOptions& options) {
    ALKNET_TRY(const Json output, at_own_node(line, "invitations/add", input_of(options)));
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
        return ExitCode::ok;
    }
    ALKNET_TRY(const auto made, answered<InvitationAdded>(output));
    ALKNET_CHECK(print_line(made.invitation));
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    if (options.qr || (terminal && !options.no_qr)) {
        ALKNET_TRY(const std::string code, qr_text(made.invitation, terminal));
        ALKNET_CHECK(print_text(code));
    }
    if (terminal) {
        ALKNET_CHECK(print_line(fmt::format(
            "good until {}, for {}; take it back: alknet peer uninvite {}", made.expires,
            made.uses == 1 ? "one" : fmt::format("{} others", made.uses), made.id)));
    }
    if (terminal && made.confirm) {
        ALKNET_CHECK(
            print_line("ask for the six digits that the other side sees, then: alknet peer confirm "
                       "DIGITS"));
    }
    return ExitCode::ok;
}

std::string as_text(const InvitationEntry& one) {
    std::string text = fmt::format("{} ({})\n  until    {}\n", one.id, one.standing, one.expires);
    text += fmt::format("  uses     {} left\n", one.uses_left);
    for (const std::string& scope : one.scopes) {
        text += fmt::format("  scope    {}\n", printable(scope));
    }
    if (one.for_) {
        text += fmt::format("  for      {}\n", *one.for_);
    }
    if (one.peer_expires) {
        text += fmt::format("  term     until {}{}\n", *one.peer_expires,
                            one.peer_renew ? ", renewed by " + *one.peer_renew : "");
    }
    if (one.alarms != 0) {
        text += fmt::format("  alarms   {}: somebody else has seen the line\n", one.alarms);
    }
    for (const ClaimEntry& claim : one.waiting) {
        text += fmt::format("  waiting  {} {} sees {}\n", printable(claim.name), claim.key,
                            claim.digits);
    }
    return text;
}

result<ExitCode> list(const CommandLine& line) {
    ALKNET_TRY(const Json output, at_own_node(line, "invitations/list", Json::object({})));
    if (line.json) {
        ALKNET_CHECK(print_line(output.text()));
        return ExitCode::ok;
    }
    ALKNET_TRY(const auto entries, answered<InvitationEntries>(output));
    std::string text;
    for (const InvitationEntry& one : entries.invitations) {
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
    ALKNET_TRY(const auto confirmed, answered<InvitationConfirmed>(output));
    const std::string key = confirmed.keys.empty() ? "" : confirmed.keys.front();
    ALKNET_CHECK(print_line(line.json ? output.text()
                                      : fmt::format("confirmed {} ({})", confirmed.name, key)));
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
