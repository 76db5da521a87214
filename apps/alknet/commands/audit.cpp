// alknet audit: what the node and its commands have written down, and whether it is still that.
#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes_audit.hpp>
#include <alknet/config/units.hpp>
#include <alknet/identity/audit_file.hpp>
#include <alknet/identity/audit_reader.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/file_watch.hpp>
#include <alknet/rt/loop.hpp>
#include <optional>
#include <set>

#include "commands.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::AuditRecord;

struct Wanted {
    std::string since;            // as records write times; empty: from the beginning
    std::set<std::string> names;  // of one peer, and its keys; empty: of all
    std::uint64_t after = 0;      // shown so far
};

// Records have times of one form, so that their order is that of the texts.
result<std::string> begin_of(const std::string& since) {
    if (since.empty()) {
        return std::string();
    }
    if (const auto back = config::parse_duration(since)) {
        return identity::audit_time(SystemClock().wall_now() - *back);
    }
    constexpr std::string_view kDay = "0000-00-00";
    const bool dated =
        since.size() >= kDay.size() &&
        std::ranges::equal(since.substr(0, kDay.size()), kDay, [](char c, char form) {
            return form == '0' ? c >= '0' && c <= '9' : c == form;
        });
    if (!dated) {
        return fail(causes::kUsage, "'" + printable(since) +
                                        "' is neither a duration such as 2h nor a time such as "
                                        "2027-01-31 or 2027-01-31T12:00");
    }
    return since;
}

// Whoever has gone is found by what it was called.
result<std::set<std::string>> names_of(const config::Home& home, const std::string& peer) {
    std::set<std::string> names;
    if (peer.empty()) {
        return names;
    }
    names.insert(peer);
    ALKNET_TRY(const auto config, home.load_config());
    ALKNET_TRY(const auto stored, stored_peers(home));
    ALKNET_TRY(const auto peers, all_peers(home, config.dynamic, stored));
    if (const identity::PeerRecord* found = peers->find_name(peer)) {
        names.insert(found->id);
        names.insert(found->fingerprints.begin(), found->fingerprints.end());
    }
    return names;
}

bool is_wanted(const AuditRecord& record, const Wanted& wanted) {
    if (record.time < wanted.since) {
        return false;
    }
    return wanted.names.empty() ||
           std::ranges::any_of(std::array{"peer", "key", "name"}, [&](std::string_view field) {
               return wanted.names.contains(std::string(record.field(field)));
           });
}

std::string as_text(const AuditRecord& record) {
    std::string text = record.time + "  " + record.event;
    for (const auto& [name, value] : record.fields) {
        const bool plain = value.find_first_of(" \"\\") == std::string::npos;
        text.append("  ").append(name).append("=");
        text.append(plain ? printable(value) : Json(printable(value)).text());
    }
    return text;
}

std::string as_json(const AuditRecord& record) {
    Json::Object members{{"seq", record.seq}, {"time", record.time}, {"event", record.event}};
    for (const auto& [name, value] : record.fields) {
        members.emplace_back(name, value);
    }
    return Json(std::move(members)).text();
}

result<void> show_new(const CommandLine& line, const config::Home& home, Wanted& wanted) {
    return identity::read_audit(
        home.directory(), wanted.after, [&](const AuditRecord& record) -> result<void> {
            wanted.after = record.seq;
            if (!is_wanted(record, wanted)) {
                return {};
            }
            return print_line(line.json ? as_json(record) : as_text(record));
        });
}

task<result<void>> follow(const CommandLine& line, const config::Home& home, Wanted& wanted,
                          FileWatch& watch) {
    for (;;) {
        ALKNET_CO_CHECK(show_new(line, home, wanted));
        ALKNET_CO_CHECK(co_await watch.changed());
    }
}

result<ExitCode> show(const CommandLine& line, const config::Home& home,
                      const AuditOptions& options) {
    Wanted wanted;
    ALKNET_TRY(wanted.since, begin_of(options.since));
    ALKNET_TRY(wanted.names, names_of(home, options.peer));
    if (!options.follow) {
        ALKNET_CHECK(show_new(line, home, wanted));
        return ExitCode::ok;
    }
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    // Before the first look, so that nothing is missed between them.
    ALKNET_TRY(const auto watch, FileWatch::open(*loop, home.directory() / identity::kAuditFile));
    ALKNET_CHECK(block_on(*loop, follow(line, home, wanted, *watch), "audit.follow"));
    return ExitCode::ok;
}

std::string place_of(const identity::AuditProblem& problem) {
    return problem.line == 0 ? problem.file : fmt::format("{}:{}", problem.file, problem.line);
}

result<void> print_report(const CommandLine& line, const identity::AuditReport& report) {
    if (line.json) {
        Json::Array problems;
        for (const identity::AuditProblem& problem : report.problems) {
            problems.push_back(Json::object(
                {{"file", problem.file}, {"line", problem.line}, {"what", problem.what}}));
        }
        return print_line(Json::object({{"whole", report.whole()},
                                        {"records", report.records},
                                        {"first", report.first},
                                        {"head", identity::audit_head_text(report.last)},
                                        {"lost", report.lost},
                                        {"cuts", report.cuts},
                                        {"problem_count", report.problem_count},
                                        {"problems", std::move(problems)}})
                              .text());
    }
    for (const identity::AuditProblem& problem : report.problems) {
        ALKNET_CHECK(print_line(place_of(problem) + ": " + printable(problem.what)));
    }
    ALKNET_CHECK(print_line(fmt::format(
        "{}: {} records{}\n  head     {}", report.whole() ? "whole" : "broken", report.records,
        report.records == 0 ? "" : fmt::format(", {} to {}", report.first, report.last.seq),
        identity::audit_head_text(report.last))));
    if (report.lost > 0) {
        ALKNET_CHECK(print_line(fmt::format(
            "  lost     {}: they could not be written when they were made, as records say",
            report.lost)));
    }
    return {};
}

result<ExitCode> verify(const CommandLine& line, const config::Home& home,
                        const AuditOptions& options) {
    std::optional<identity::AuditHead> noted;
    if (!options.head.empty()) {
        ALKNET_TRY(noted, identity::parse_audit_head(options.head));
    }
    ALKNET_TRY(const auto report, identity::verify_audit(home.directory(), noted));
    ALKNET_CHECK(print_report(line, report));
    if (!report.whole()) {
        const std::string where =
            report.problems.empty() ? std::string() : place_of(report.problems.front());
        return fail(causes::kAuditBroken, where);
    }
    return ExitCode::ok;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const AuditOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    return options.action == AuditOptions::Action::show ? show(line, home, options)
                                                        : verify(line, home, options);
}

}  // namespace alknet::app
