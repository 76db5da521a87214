// What `alknet config check`, `diff`, `apply`, `confirm` and `undo` do.
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/config/units.hpp>
#include <alknet/identity/config_revision.hpp>
#include <array>
#include <utility>

#include "config_change.hpp"
#include "desk.hpp"

namespace alknet::app {

namespace {

constexpr std::string_view kManage = "config:manage";
/// Whoever is not at the machine may have locked itself out, and must show that it has not.
constexpr Duration kRemoteConfirm = std::chrono::minutes(2);

std::optional<std::uint64_t> line_of(std::size_t line) {
    return line == 0 ? std::nullopt : std::optional<std::uint64_t>(line);
}

std::string_view kind_text(config::Difference::Kind kind) {
    switch (kind) {
        case config::Difference::Kind::added:
            return "added";
        case config::Difference::Kind::removed:
            return "removed";
        case config::Difference::Kind::changed:
            break;
    }
    return "changed";
}

ConfigDiff diff_of(const Proposal& proposal) {
    ConfigDiff diff;
    for (const config::Difference& one : proposal.differences) {
        diff.differences.push_back({.kind = std::string(kind_text(one.kind)),
                                    .path = one.path,
                                    .before = one.before,
                                    .before_line = line_of(one.before_line),
                                    .after = one.after,
                                    .after_line = line_of(one.after_line),
                                    .text = one.text()});
    }
    for (const config::Effect& one : proposal.effects) {
        diff.effects.push_back({.kind = std::string(to_string(one.kind)),
                                .subject = one.subject,
                                .text = one.text,
                                .cuts = one.cuts()});
    }
    if (!proposal.guard) {
        diff.warning = proposal.guard.error().message();
    }
    return diff;
}

// Of alknet.toml itself, or of a text that somebody shows.
result<ConfigChecked> check(const DeskRequest& request, const identity::PeerList& stored,
                            const ConfigCheckInput& input) {
    std::optional<std::string> text;
    if (input.text) {
        text = input.text->value;
    }
    const std::filesystem::path own = request.home.config_file();
    CheckOptions options{
        .file = input.file ? input.file->value : own.native(),
        .base = input.base ? std::filesystem::path(input.base->value) : request.home.directory(),
        .home = &request.home,
        .in_place = !text};
    if (!text) {
        ALKNET_TRY(text, config::read_config_text(own));
    }
    options.text = *std::move(text);
    ALKNET_TRY(const Checked checked, check_config(options, stored));
    return checked_output(options.file, checked);
}

result<Proposal> propose_text(const DeskRequest& request, const identity::PeerList& stored,
                              const std::string& text, const std::optional<Word>& file) {
    return propose(
        request, stored,
        {.text = text, .file = file ? file->value : request.home.config_file().native()});
}

result<ConfigDiff> diff(const DeskRequest& request, const identity::PeerList& stored,
                        const ConfigDiffInput& input) {
    ALKNET_TRY(const Proposal proposal, propose_text(request, stored, input.text, input.file));
    return diff_of(proposal);
}

// Writes it down under the rules that alknet.toml has, if it can be read.
std::function<result<void>()> record_of(const DeskRequest& request,
                                        const identity::PeerList& stored, std::string_view event) {
    return [&request, &stored, event]() -> result<void> {
        ALKNET_TRY(const std::string text, config::read_config_text(request.home.config_file()));
        const auto config = request.home.parse_config(text);
        AuditEntry entry{.event = event};
        entry.more = {request.caller.named()};
        return request.records->write(config ? *config : config::Config(), std::move(entry),
                                      identity::config_revision(text, stored));
    };
}

// What waits for too long is undone by whoever comes first.
result<config::Undone> undo(const DeskRequest& request, const identity::PeerList& stored,
                            bool at_once) {
    ALKNET_TRY(const config::Undone undone,
               config::undo_change(
                   request.home, request.now,
                   {.at_once = at_once, .before = record_of(request, stored, "config.undone")}));
    request.records->settle();
    return undone;
}

// For whom it may wait, and how long.
result<std::optional<Duration>> confirm_within(const DeskCaller& caller,
                                               const std::optional<Word>& text) {
    if (!text) {
        return caller.local() ? std::nullopt : std::optional(kRemoteConfirm);
    }
    const auto duration = config::parse_duration(text->value);
    if (!duration) {
        return fail(causes::kUsage,
                    "confirm is a duration such as 2m, and not '" + text->value + "'");
    }
    return duration;
}

result<ConfigApplied> apply_text(const DeskRequest& request, const identity::PeerList& stored,
                                 const ConfigApplyInput& input) {
    ALKNET_TRY(const auto confirm, confirm_within(request.caller, input.confirm));
    if (!input.dry_run) {
        ALKNET_CHECK(undo(request, stored, false));
    }
    ALKNET_TRY(const Proposal proposal, propose_text(request, stored, input.text, input.file));
    if (!input.dry_run) {
        ALKNET_CHECK(check_nothing_waits(request));  // also where the text is the one that waits
    }
    const bool unchanged = proposal.text == proposal.expected;
    const bool applied = !input.dry_run && !unchanged;
    if (applied) {
        ALKNET_CHECK(apply(request, proposal, {.confirm = confirm, .force = input.force}));
    }
    ConfigDiff diff = diff_of(proposal);
    ConfigApplied output{.differences = std::move(diff.differences),
                         .effects = std::move(diff.effects),
                         .warning = std::move(diff.warning),
                         .unchanged = unchanged,
                         .applied = applied};
    if (applied && confirm) {
        output.confirm_within = config::duration_text(*confirm);
    }
    return output;
}

result<ConfigPendingDone> confirm(const DeskRequest& request, const identity::PeerList& stored,
                                  const Nothing& /*input*/) {
    ALKNET_TRY(const config::Undone undone, undo(request, stored, false));
    if (undone == config::Undone::restored) {
        return fail(causes::kConfigNotPending, "it came too late, and the change is undone");
    }
    ALKNET_CHECK(config::confirm_change(request.home, request.now,
                                        record_of(request, stored, "config.confirmed")));
    return ConfigPendingDone{.done = "confirmed"};
}

result<ConfigPendingDone> undo_now(const DeskRequest& request, const identity::PeerList& stored,
                                   const Nothing& /*input*/) {
    ALKNET_TRY(const config::Undone undone, undo(request, stored, true));
    if (undone == config::Undone::nothing) {
        return fail(causes::kConfigNotPending);
    }
    return ConfigPendingDone{.done = undone == config::Undone::edited
                                         ? "kept, as alknet.toml was edited since"
                                         : "undone"};
}

constexpr std::array kDiffErrors = {&causes::kConfigInvalid, &causes::kAssertionFailed};
constexpr std::array kApplyErrors = {
    &causes::kConfigInvalid, &causes::kAssertionFailed, &causes::kLastAdmin,  &causes::kForbidden,
    &causes::kConfigPending, &causes::kConfigChanged,   &causes::kConfigBusy, &causes::kOwnAccess};
constexpr std::array kConfirmErrors = {&causes::kConfigNotPending, &causes::kForbidden};
constexpr std::array kUndoErrors = {&causes::kConfigNotPending};

constexpr std::array kOperations = {
    configuring<check>({.name = "config/check",
                        .scope = kManage,
                        .about = "what is wrong with alknet.toml, or with another text"}),
    configuring<diff>({.name = "config/diff",
                       .scope = kManage,
                       .about = "what a text would change, and whom it would cut",
                       .errors = kDiffErrors}),
    configuring<apply_text>({.name = kConfigApply,
                             .scope = kManage,
                             .about = "put a text in the place of alknet.toml",
                             .errors = kApplyErrors,
                             .replaces = true}),
    configuring<confirm>({.name = kConfigConfirm,
                          .scope = kManage,
                          .about = "keep a change that waits, over a connection made after it",
                          .errors = kConfirmErrors,
                          .replaces = true}),
    configuring<undo_now>({.name = "config/undo",
                           .scope = kManage,
                           .about = "undo a change that waits",
                           .errors = kUndoErrors,
                           .replaces = true}),
};

}  // namespace

ConfigChecked checked_output(const std::string& file, const Checked& checked) {
    ConfigChecked output{.file = file,
                         .valid = checked.problems.empty(),
                         .problems = {},
                         .refused = checked.refused};
    for (const config::Problem& problem : checked.problems) {
        output.problems.push_back({.file = problem.file,
                                   .line = problem.line,
                                   .column = problem.column,
                                   .key = problem.key,
                                   .reason = problem.reason,
                                   .text = problem.text()});
    }
    return output;
}

std::span<const DeskOperation> config_operations() noexcept {
    return kOperations;
}

}  // namespace alknet::app
