#include <alknet/doctor/local_checks.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

using doctor::Check;
using doctor::Status;

Json as_json(const Check& check) {
    return Json::object({{"group", check.group},
                         {"name", check.name},
                         {"status", to_string(check.status)},
                         {"value", check.value},
                         {"consequence", check.consequence},
                         {"next", check.next}});
}

std::string as_text(const std::vector<Check>& checks) {
    constexpr std::size_t kStatusColumns = 9;
    std::size_t names = 0;
    for (const Check& check : checks) {
        names = std::max(names, check.name.size());
    }
    std::string text;
    std::string_view group;
    for (const Check& check : checks) {
        if (check.group != group) {
            group = check.group;
            text.append(group).append("\n");
        }
        const std::string_view status = to_string(check.status);
        text.append("  ").append(status).append(kStatusColumns - status.size(), ' ');
        text.append(printable(check.name)).append(names + 2 - check.name.size(), ' ');
        text.append(printable(check.value)).append("\n");
        const std::string indent(2 + kStatusColumns, ' ');
        if (!check.consequence.empty()) {
            text.append(indent).append(printable(check.consequence)).append("\n");
        }
        if (!check.next.empty()) {
            text.append(indent).append("next: ").append(printable(check.next)).append("\n");
        }
    }
    return text;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const DoctorOptions&) {
    const auto home = home_directory(line);
    const auto probe = doctor::make_system_probe(home ? *home : std::filesystem::path());
    const std::vector<Check> checks = doctor::local_checks(*probe);
    const bool failed = doctor::worst(checks) == Status::fail;
    if (line.json) {
        Json::Array list;
        for (const Check& check : checks) {
            list.push_back(as_json(check));
        }
        ALKNET_CHECK(
            print_line(Json::object({{"ok", !failed}, {"checks", Json(std::move(list))}}).text()));
    } else {
        ALKNET_CHECK(print_text(as_text(checks)));
    }
    return failed ? ExitCode::failure : ExitCode::ok;
}

}  // namespace alknet::app
