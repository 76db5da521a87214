// alknet config diff, apply, confirm, undo: changes of the configuration, and what they would do.
#include <fmt/format.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/config/units.hpp>

#include "commands.hpp"
#include "config_change.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

Json line_json(std::size_t line) {
    return line == 0 ? Json() : Json(static_cast<std::uint64_t>(line));
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

Json::Object as_json(const Proposal& proposal) {
    Json::Array differences;
    for (const config::Difference& one : proposal.differences) {
        differences.push_back(Json::object({{"kind", kind_text(one.kind)},
                                            {"path", one.path},
                                            {"before", one.before},
                                            {"before_line", line_json(one.before_line)},
                                            {"after", one.after},
                                            {"after_line", line_json(one.after_line)}}));
    }
    Json::Array effects;
    for (const config::Effect& one : proposal.effects) {
        effects.push_back(Json::object({{"kind", to_string(one.kind)},
                                        {"subject", one.subject},
                                        {"text", one.text},
                                        {"cuts", one.cuts()}}));
    }
    const Json warning = proposal.guard ? Json() : Json(proposal.guard.error().message());
    return {{"differences", std::move(differences)},
            {"effects", std::move(effects)},
            {"warning", warning}};
}

std::string as_text(const Proposal& proposal) {
    if (proposal.differences.empty()) {
        return "nothing differs\n";
    }
    std::string text = "differences\n";
    for (const config::Difference& one : proposal.differences) {
        text += fmt::format("  {}\n", printable(one.text()));
    }
    text += proposal.effects.empty() ? "plan\n  no connection is cut\n" : "plan\n";
    for (const config::Effect& one : proposal.effects) {
        text += fmt::format("  {} {}: {}{}\n", to_string(one.kind), printable(one.subject),
                            printable(one.text),
                            one.cuts() ? " (connections that this no longer allows end)" : "");
    }
    if (!proposal.guard) {
        text += fmt::format("warning\n  {}\n", printable(proposal.guard.error().message()));
    }
    return text;
}

result<Proposal> propose_file(const config::Home& home, const std::filesystem::path& file) {
    ALKNET_TRY(std::string text, config::read_config_text(file));
    return propose(home, {.text = std::move(text),
                          .file = file.native(),
                          .actor = {},
                          .now = SystemClock().wall_now()});
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ConfigDiffOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    const std::filesystem::path file = options.file.empty() ? home.config_file() : options.file;
    ALKNET_TRY(const Proposal proposal, propose_file(home, file));
    ALKNET_CHECK(line.json ? print_line(Json(as_json(proposal)).text())
                           : print_text(as_text(proposal)));
    return ExitCode::ok;
}

result<ExitCode> run(const CommandLine& line, const ConfigApplyOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const Proposal proposal, propose_file(home, options.file));
    const bool same = proposal.text == proposal.expected;
    if (!options.dry_run && !same) {
        ALKNET_CHECK(apply(
            home, proposal,
            {.confirm = options.confirm, .force = options.force, .now = SystemClock().wall_now()}));
    }
    const bool applied = !options.dry_run && !same;
    if (line.json) {
        Json::Object object = as_json(proposal);
        object.emplace_back("applied", applied);
        object.emplace_back("confirm_within", applied && options.confirm
                                                  ? Json(config::duration_text(*options.confirm))
                                                  : Json());
        ALKNET_CHECK(print_line(Json(std::move(object)).text()));
        return ExitCode::ok;
    }
    std::string text = as_text(proposal);
    if (same) {
        text = "alknet.toml says this already\n";
    } else if (applied && options.confirm) {
        text += fmt::format("applied; undone in {}, unless: alknet config confirm\n",
                            config::duration_text(*options.confirm));
    } else if (applied) {
        text += "applied\n";
    }
    ALKNET_CHECK(print_text(text));
    return ExitCode::ok;
}

result<ExitCode> run(const CommandLine& line, const ConfigPendingOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    const WallTime now = SystemClock().wall_now();
    std::string done = "confirmed";
    if (options.action == ConfigPendingOptions::Action::confirm) {
        ALKNET_CHECK(config::confirm_change(home, now));
    } else {
        ALKNET_TRY(const config::Undone undone, config::undo_change(home, now, true));
        if (undone == config::Undone::nothing) {
            return fail(causes::kConfigNotPending);
        }
        done =
            undone == config::Undone::edited ? "kept, as alknet.toml was edited since" : "undone";
    }
    ALKNET_CHECK(line.json ? print_line(Json::object({{"done", done}}).text()) : print_line(done));
    return ExitCode::ok;
}

}  // namespace alknet::app
