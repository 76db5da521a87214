#include <alknet/base/causes.hpp>
#include <alknet/tls/context.hpp>

#include "commands.hpp"
#include "output.hpp"

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

// What a file says may be well written and still not work: key and certificates must be there.
result<void> check_files(const config::Home& home) {
    ALKNET_TRY(const auto config, home.load_config());
    ALKNET_TRY(const auto key, home.load_key(config.fixed));
    ALKNET_CHECK(home.load_secrets());
    ALKNET_CHECK(tls::TlsContext::create({.key = key,
                                          .certificates = config.dynamic.certificates,
                                          .authorities = {},
                                          .ticket_keys = nullptr}));
    return {};
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ConfigCheckOptions& options) {
    if (!options.file.empty()) {
        ALKNET_TRY(const std::string text, config::read_config_text(options.file));
        const config::ParseOptions here{.file = options.file.native(),
                                        .base = options.file.parent_path()};
        return report(line, options.file, config::parse(text, here).problems);
    }
    ALKNET_TRY(const auto home, open_home(line));
    const std::filesystem::path file = home.config_file();
    ALKNET_TRY(const std::string text, config::read_config_text(file));
    const config::Parsed parsed =
        config::parse(text, {.file = file.native(), .base = home.directory()});
    if (parsed.problems.empty()) {
        ALKNET_CHECK(check_files(home));
    }
    return report(line, file, parsed.problems);
}

}  // namespace alknet::app
