#include <alknet/base/causes.hpp>
#include <alknet/identity/policy.hpp>

#include "commands.hpp"
#include "config_change.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

Json as_json(const config::Problem& problem) {
    return Json::object({{"file", problem.file},
                         {"line", static_cast<std::uint64_t>(problem.line)},
                         {"column", static_cast<std::uint64_t>(problem.column)},
                         {"key", problem.key},
                         {"reason", problem.reason}});
}

result<ExitCode> report(const CommandLine& line, const std::filesystem::path& file,
                        const std::vector<config::Problem>& problems) {
    if (line.json) {
        Json::Array list;
        for (const config::Problem& problem : problems) {
            list.push_back(as_json(problem));
        }
        ALKNET_CHECK(print_line(Json::object({{"file", file.native()},
                                              {"valid", problems.empty()},
                                              {"problems", std::move(list)}})
                                    .text()));
    } else if (problems.empty()) {
        ALKNET_CHECK(print_line(file.native() + ": valid"));
    }
    if (problems.empty()) {
        return ExitCode::ok;
    }
    if (!line.json) {
        for (const config::Problem& problem : problems) {
            ALKNET_CHECK(print_line(printable(problem.text())));
        }
    }
    return ExitCode::config;
}

// What the file asserts of its peers, those of state.db included if there is a home.
result<std::vector<config::Problem>> check_assertions(const config::DynamicConfig& config,
                                                      const std::string& file,
                                                      const result<config::Home>& home) {
    identity::PeerList stored;
    ConfigPlace place{.file = file, .home = std::filesystem::path(file).parent_path()};
    if (home) {
        place.home = home->directory();
        ALKNET_TRY(stored, stored_peers(*home));
    }
    ALKNET_TRY(const auto peers, peers_of(place, config, stored));
    std::vector<config::Problem> problems;
    for (const identity::Broken& broken : identity::broken_assertions(*peers)) {
        problems.push_back({.file = file,
                            .line = broken.assertion.origin.line,
                            .column = 1,
                            .key = "access.assert",
                            .reason = broken.text()});
    }
    return problems;
}

result<std::vector<config::Problem>> problems_of(const config::Parsed& parsed,
                                                 const std::string& file,
                                                 const result<config::Home>& home) {
    return parsed.problems.empty() ? check_assertions(parsed.config.dynamic, file, home)
                                   : parsed.problems;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ConfigCheckOptions& options) {
    if (!options.file.empty()) {
        ALKNET_TRY(const std::string text, config::read_config_text(options.file));
        const config::ParseOptions here{.file = options.file.native(),
                                        .base = options.file.parent_path()};
        ALKNET_TRY(const auto problems,
                   problems_of(config::parse(text, here), here.file, open_home(line)));
        return report(line, options.file, problems);
    }
    const auto home = open_home(line);
    if (!home) {
        return unexpected(home.error());
    }
    const std::filesystem::path file = home->config_file();
    ALKNET_TRY(const std::string text, config::read_config_text(file));
    const config::Parsed parsed =
        config::parse(text, {.file = file.native(), .base = home->directory()});
    if (parsed.problems.empty()) {
        ALKNET_TRY(const auto config, home->parse_config(text));
        ALKNET_CHECK(check_usable(*home, config));
    }
    ALKNET_TRY(const auto problems, problems_of(parsed, file.native(), home));
    return report(line, file, problems);
}

}  // namespace alknet::app
