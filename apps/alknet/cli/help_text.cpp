#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/config/config.hpp>

#include "cli.hpp"
#include "exit_codes.hpp"

namespace alknet::app {

namespace {

// Wraps at words to lines of at most 80 characters, each after `indent` spaces.
void wrap(std::string& out, std::string_view text, std::size_t indent) {
    constexpr std::size_t kWidth = 80;
    std::string line(indent, ' ');
    while (!text.empty()) {
        const std::size_t end = text.find(' ');
        const std::string_view word = text.substr(0, end);
        if (line.size() > indent && line.size() + 1 + word.size() > kWidth) {
            out.append(line).append("\n");
            line.assign(indent, ' ');
        }
        line.append(line.size() > indent ? " " : "").append(word);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    out.append(line).append("\n");
}

void help_option(std::string& out, const OptionInfo& option) {
    std::string left = "  ";
    for (const std::string& name : option.names) {
        left.append(left.size() > 2 ? ", " : "").append(name);
    }
    if (!option.value.empty()) {
        left.append(option.operand() ? "" : " ").append(option.value);
    }
    constexpr std::size_t kColumn = 26;
    std::string right;
    wrap(right, option.about, kColumn);
    if (left.size() + 2 > kColumn) {
        out.append(left).append("\n").append(right);
    } else {
        out.append(left).append(right.substr(left.size()));
    }
}

std::string command_help(const CommandInfo& command) {
    std::string out = "usage: " + command.synopsis() + "\n\n";
    wrap(out, command.about + ".", 0);
    if (!command.details.empty()) {
        out += "\n";
        wrap(out, command.details, 0);
    }
    out += "\n";
    for (const OptionInfo& option : command.options) {
        help_option(out, option);
    }
    return out;
}

// Of a word that stands before commands; empty if it is none.
std::string group_help(std::string_view group) {
    std::string out;
    for (const CommandInfo& command : describe_commands()) {
        if (command.name.starts_with(std::string(group) + " ")) {
            help_option(out, {.names = {}, .value = command.name, .about = command.about});
        }
    }
    return out.empty() ? out
                       : "usage: alknet " + std::string(group) + " COMMAND [OPTIONS]\n\n" + out;
}

std::string general_help() {
    std::string out = "usage: alknet COMMAND [OPTIONS]\n\n";
    for (const CommandInfo& command : describe_commands()) {
        help_option(out, {.names = {}, .value = command.name, .about = command.about});
    }
    out +=
        "\n`alknet COMMAND --help` tells more about one of them, `alknet help exit-codes` what\n"
        "the exit codes mean. Every command takes --home DIR and --json.\n";
    return out;
}

std::string exit_code_help() {
    std::string out;
    for (const ExitCodeInfo& info : exit_codes()) {
        help_option(out, {.names = {},
                          .value = std::to_string(static_cast<int>(info.code)),
                          .about = std::string(info.about)});
    }
    return out;
}

}  // namespace

error unknown_command(std::string_view word) {
    std::vector<std::string> names;
    for (const CommandInfo& command : describe_commands()) {
        names.push_back(command.name);
    }
    const std::string_view meant = config::nearest_name(word, {names.begin(), names.end()});
    std::string text = "there is no command '" + std::string(word) + "'";
    return error(causes::kUsage,
                 meant.empty() ? text : text + "; did you mean '" + std::string(meant) + "'?");
}

result<std::string> help_text(std::string_view topic) {
    if (topic.empty()) {
        return general_help();
    }
    if (topic == "exit-codes") {
        return exit_code_help();
    }
    for (const CommandInfo& command : describe_commands()) {
        if (command.name == topic) {
            return command_help(command);
        }
    }
    if (std::string group = group_help(topic); !group.empty()) {
        return group;
    }
    return unexpected(unknown_command(topic));
}

std::vector<std::string> OptionInfo::choices() const {
    std::vector<std::string> words;
    if (value.find('|') != std::string::npos) {
        for (std::size_t begin = 0; begin <= value.size();) {
            const std::size_t end = std::min(value.find('|', begin), value.size());
            words.push_back(value.substr(begin, end - begin));
            begin = end + 1;
        }
    }
    return words;
}

std::string CommandInfo::synopsis() const {
    std::string text = "alknet " + name + " [OPTIONS]";
    for (const OptionInfo& option : options) {
        if (option.operand()) {
            text += option.required ? " " + option.value : " [" + option.value + "]";
        } else if (option.required) {
            text += " " + option.names.front() + " " + option.value;
        }
    }
    return text;
}

}  // namespace alknet::app
