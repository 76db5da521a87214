#include "options.hpp"

#include <CLI/CLI.hpp>

#include <alknet/base/number.hpp>
#include <alknet/config/units.hpp>
#include <utility>

namespace alknet::app {

namespace {

// "a:b, c:d" is how people write lists.
std::string without_blanks(std::string text) {
    constexpr std::string_view kBlanks = " \t\n";
    const std::size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

CLI::Option* metavar(CLI::Option* option, std::string value) {
    return option->type_name(std::move(value))->allow_extra_args(false);
}

CLI::Option* add_duration(CLI::App& command, const std::string& name, Duration& into,
                          const std::string& about, Duration max) {
    const auto assign = [&into, name, max](const std::string& text) {
        const auto duration = config::parse_duration(text);
        const bool nothing = name == "--timeout" && duration && *duration == Duration();
        if (!duration || nothing || *duration > max) {
            throw CLI::ValidationError(name + " is a duration such as 500ms, 2s or 1m, and not '" +
                                       text + "'");
        }
        into = *duration;
    };
    const std::string text = about + " (" + config::duration_text(into) + ")";
    return metavar(command.add_option_function<std::string>(name, assign, text), "DURATION");
}

CLI::Option* add_count(CLI::App& command, const std::string& name, std::uint32_t& into,
                       const std::string& about, std::uint32_t max) {
    const auto assign = [&into, name, max](const std::string& text) {
        const auto number = parse_number<std::uint32_t>(text);
        if (!number || *number < 1 || *number > max) {
            throw CLI::ValidationError(name + " is a number from 1 to " + std::to_string(max) +
                                       ", and not '" + text + "'");
        }
        into = *number;
    };
    const std::string text = about + " (" + std::to_string(into) + ")";
    return metavar(command.add_option_function<std::string>(name, assign, text), "N");
}

void add_list(CLI::App& command, const std::string& name, std::vector<std::string>& into,
              const std::string& value, const std::string& about) {
    metavar(command.add_option(name, into, about + "; several with commas, or repeated")
                ->delimiter(',')
                ->transform(without_blanks),
            value);
}

}  // namespace alknet::app
