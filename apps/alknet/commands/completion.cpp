// Shell completion, made from the same description of the command line as its help.
#include <fmt/format.h>
#include <algorithm>

#include "commands.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

// The words before the current one decide what can follow; a command may have two ("config check").
std::vector<std::string> split(const std::string& name) {
    const std::size_t space = name.find(' ');
    if (space == std::string::npos) {
        return {name};
    }
    return {name.substr(0, space), name.substr(space + 1)};
}

std::string joined(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, " "));
}

// First words, each once; "config" for "config check".
std::vector<std::string> first_words(const std::vector<CommandInfo>& commands) {
    std::vector<std::string> words;
    for (const CommandInfo& command : commands) {
        const std::string word = split(command.name).front();
        if (std::ranges::count(words, word) == 0) {
            words.push_back(word);
        }
    }
    return words;
}

// What can stand in an option's place: words, or files and directories.
bool takes_file(const OptionInfo& option) {
    return option.value == "DIR" || option.value == "FILE";
}

std::vector<std::string> words_of(const CommandInfo& command) {
    std::vector<std::string> words;
    for (const OptionInfo& option : command.options) {
        words.insert(words.end(), option.names.begin(), option.names.end());
        if (option.operand()) {
            const auto choices = option.choices();
            words.insert(words.end(), choices.begin(), choices.end());
        }
    }
    return words;
}

// The cases of `$previous`, which are the same in every command.
std::string bash_values(const std::vector<CommandInfo>& commands) {
    std::vector<std::string> seen;
    std::string text;
    for (const CommandInfo& command : commands) {
        for (const OptionInfo& option : command.options) {
            if (option.operand() || option.value.empty() ||
                std::ranges::count(seen, option.names.front()) != 0) {
                continue;
            }
            seen.push_back(option.names.front());
            const auto choices = option.choices();
            const std::string kind =
                takes_file(option) ? "-f" : fmt::format("-W '{}'", joined(choices));
            text += fmt::format("    {}) COMPREPLY=($(compgen {} -- \"$current\")); return ;;\n",
                                fmt::join(option.names, "|"), kind);
        }
    }
    return text;
}

std::string bash(const std::vector<CommandInfo>& commands) {
    std::string cases;
    for (const CommandInfo& command : commands) {
        cases += fmt::format("    '{}') words='{}' ;;\n", command.name, joined(words_of(command)));
    }
    return fmt::format(
        "# bash completion for alknet\n"
        "_alknet() {{\n"
        "    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}\n"
        "    local command=${{COMP_WORDS[1]}} words\n"
        "    if ((COMP_CWORD == 1)); then\n"
        "        COMPREPLY=($(compgen -W '{} --help --version' -- \"$current\"))\n"
        "        return\n"
        "    fi\n"
        "    case $previous in\n{}    esac\n"
        "    if [[ $command == config ]]; then\n"
        "        if ((COMP_CWORD == 2)); then\n"
        "            COMPREPLY=($(compgen -W 'check' -- \"$current\"))\n"
        "            return\n"
        "        fi\n"
        "        command=\"config ${{COMP_WORDS[2]}}\"\n"
        "    fi\n"
        "    case $command in\n{}    esac\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
        "}}\n"
        "complete -o default -F _alknet alknet\n",
        joined(first_words(commands)), bash_values(commands), cases);
}

// For zsh's _arguments and fish: single quotes, and in zsh brackets and colons, mean something.
std::string escaped(std::string_view text, std::string_view special) {
    std::string out;
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
            continue;
        }
        out += special.find(c) == std::string_view::npos ? "" : "\\";
        out += c;
    }
    return out;
}

std::string zsh_action(const OptionInfo& option) {
    if (takes_file(option)) {
        return "_files";
    }
    const auto choices = option.choices();
    return choices.empty() ? " " : fmt::format("({})", joined(choices));
}

std::string zsh_arguments(const CommandInfo& command) {
    std::string text;
    for (const OptionInfo& option : command.options) {
        const std::string about = escaped(option.about, "[]:\\");
        if (option.operand()) {
            text += fmt::format(" \\\n            ':{}:{}'", escaped(option.value, ":|"),
                                zsh_action(option));
        }
        for (const std::string& name : option.names) {
            const std::string value =
                option.value.empty()
                    ? ""
                    : fmt::format(":{}:{}", escaped(option.value, ":|"), zsh_action(option));
            text += fmt::format(" \\\n            '{}{}[{}]{}'", option.repeatable ? "*" : "", name,
                                about, value);
        }
    }
    return text;
}

std::string zsh(const std::vector<CommandInfo>& commands) {
    std::string names;
    std::string cases;
    for (const CommandInfo& command : commands) {
        const auto words = split(command.name);
        names += fmt::format("        '{}:{}'\n", words.front(), escaped(command.about, ":\\"));
        const std::string skip = words.size() == 2 ? "shift words; ((CURRENT--)); " : "";
        cases += fmt::format("        {}) {}_arguments{} ;;\n", words.front(), skip,
                             zsh_arguments(command));
    }
    return fmt::format(
        "#compdef alknet\n"
        "_alknet() {{\n"
        "    local -a commands\n"
        "    commands=(\n{}    )\n"
        "    if ((CURRENT == 2)); then\n"
        "        _describe command commands\n"
        "        return\n"
        "    fi\n"
        "    if [[ $words[2] == config && CURRENT -eq 3 ]]; then\n"
        "        compadd check\n"
        "        return\n"
        "    fi\n"
        "    shift words; ((CURRENT--))\n"
        "    case $words[1] in\n{}    esac\n"
        "}}\n"
        "if [[ $funcstack[1] == _alknet ]]; then\n"
        "    _alknet \"$@\"\n"
        "else\n"
        "    compdef _alknet alknet\n"
        "fi\n",
        names, cases);
}

std::string fish_option(const std::string& condition, const OptionInfo& option) {
    std::string text = fmt::format("complete -c alknet -n '{}'", condition);
    for (const std::string& name : option.names) {
        const bool is_long = name.starts_with("--");
        text += fmt::format(" {} {}", is_long ? "-l" : "-s", name.substr(is_long ? 2 : 1));
    }
    const auto choices = option.choices();
    if (takes_file(option)) {
        text += " -rF";
    } else if (!choices.empty()) {
        text += fmt::format(" {} '{}'", option.operand() ? "-a" : "-xa", joined(choices));
    } else if (!option.value.empty() && !option.operand()) {
        text += " -x";
    }
    return text + fmt::format(" -d '{}'\n", escaped(option.about, "\\"));
}

std::string fish(const std::vector<CommandInfo>& commands) {
    std::string text = "# fish completion for alknet\ncomplete -c alknet -f\n";
    for (const CommandInfo& command : commands) {
        const auto words = split(command.name);
        text += fmt::format("complete -c alknet -n __fish_use_subcommand -a {} -d '{}'\n",
                            words.front(), escaped(command.about, "\\"));
        if (words.size() == 2) {
            text += fmt::format(
                "complete -c alknet -n '__fish_seen_subcommand_from {}; and not "
                "__fish_seen_subcommand_from {}' -a {}\n",
                words[0], words[1], words[1]);
        }
        const std::string condition = "__fish_seen_subcommand_from " + words.back();
        for (const OptionInfo& option : command.options) {
            if (!option.operand() || !option.choices().empty() || takes_file(option)) {
                text += fish_option(condition, option);
            }
        }
    }
    return text;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const CompletionOptions& options) {
    const auto commands = describe_commands();
    const std::string text = options.shell == "bash"  ? bash(commands)
                             : options.shell == "zsh" ? zsh(commands)
                                                      : fish(commands);
    ALKNET_CHECK(line.json ? print_line(Json::object({{"script", text}}).text())
                           : print_text(text));
    return ExitCode::ok;
}

}  // namespace alknet::app
