// Shell completion, made from the same description of the command line as its help.
#include <fmt/format.h>
#include <algorithm>
#include <utility>

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

// Commands by their first word: one for "ping", several for "config".
struct Group {
    std::string word;
    std::vector<CommandInfo> commands;

    [[nodiscard]] bool nested() const { return split(commands.front().name).size() == 2; }
    [[nodiscard]] std::vector<std::string> verbs() const {
        std::vector<std::string> all;
        for (const CommandInfo& command : commands) {
            all.push_back(split(command.name).back());
        }
        return all;
    }
    [[nodiscard]] std::string about() const {
        return nested() ? fmt::format("{}", fmt::join(verbs(), ", ")) : commands.front().about;
    }
};

std::vector<Group> groups_of(const std::vector<CommandInfo>& commands) {
    std::vector<Group> groups;
    for (const CommandInfo& command : commands) {
        const std::string word = split(command.name).front();
        auto found = std::ranges::find(groups, word, &Group::word);
        if (found == groups.end()) {
            found = groups.insert(found, Group{.word = word, .commands = {}});
        }
        found->commands.push_back(command);
    }
    return groups;
}

// What can stand in an option's place: words, or files and directories.
bool takes_file(const OptionInfo& option) {
    return option.value == "DIR" || option.value == "FILE";
}

// What the node itself knows: the names of the operations that the caller may call.
bool is_operation(const OptionInfo& option) {
    return option.value == "OPERATION";
}

bool takes_operation(const CommandInfo& command) {
    return std::ranges::any_of(command.options, [](const OptionInfo& option) {
        return option.operand() && is_operation(option);
    });
}

// Whoever completes a word waits: what has not answered in two seconds says nothing, and so does a
// node that is not there.
constexpr std::string_view kAskOperations = "--list --json --timeout 1s </dev/null 2>/dev/null";

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

// Options that take a value wherever they are known, each once. The others (--address, --confirm)
// are flags of some commands.
std::vector<OptionInfo> valued_options(const std::vector<CommandInfo>& commands) {
    std::vector<OptionInfo> valued;
    std::vector<std::string> flags;
    for (const CommandInfo& command : commands) {
        for (const OptionInfo& option : command.options) {
            if (!option.operand() && option.value.empty()) {
                flags.push_back(option.names.front());
            } else if (!option.operand() &&
                       std::ranges::none_of(valued, [&](const OptionInfo& one) {
                           return one.names == option.names;
                       })) {
                valued.push_back(option);
            }
        }
    }
    std::erase_if(valued, [&](const OptionInfo& option) {
        return std::ranges::count(flags, option.names.front()) != 0;
    });
    return valued;
}

std::string bash_values(const std::vector<OptionInfo>& options) {
    std::string text;
    for (const OptionInfo& option : options) {
        const std::string kind =
            takes_file(option) ? "-f" : fmt::format("-W '{}'", joined(option.choices()));
        text += fmt::format("    {}) COMPREPLY=($(compgen {} -- \"$current\")); return ;;\n",
                            fmt::join(option.names, "|"), kind);
    }
    return text;
}

// The command is the first word that is neither an option nor the value of one, and in a group the
// second too. What follows are operands; bash parts an address at its colons and its @.
std::string bash(const std::vector<CommandInfo>& commands) {
    const std::vector<OptionInfo> options = valued_options(commands);
    std::string values;
    for (const OptionInfo& option : options) {
        values += joined(option.names) + " ";
    }
    std::string cases;
    std::vector<std::string> first;
    std::string nested;
    for (const Group& group : groups_of(commands)) {
        first.push_back(group.word);
        if (group.nested()) {
            nested += group.word + " ";
            cases +=
                fmt::format("    '{}') words='{} --help' ;;\n", group.word, joined(group.verbs()));
        }
    }
    for (const CommandInfo& command : commands) {
        // Nothing to offer: bash then completes the names of files.
        const bool file = std::ranges::any_of(command.options, [](const OptionInfo& option) {
            return option.operand() && takes_file(option);
        });
        const std::string_view instead = file ? "; [[ $current == -* ]] || words="
                                         : takes_operation(command)
                                             ? "; [[ $current == -* || $operands != 1 ]] || "
                                               "words=$(_alknet_operations)"
                                             : "";
        cases += fmt::format("    '{}') words='{}'{} ;;\n", command.name, joined(words_of(command)),
                             instead);
    }
    return fmt::format(
        "# bash completion for alknet\n"
        "_alknet_operations() {{\n"
        "    timeout 2 \"${{COMP_WORDS[0]}}\" call \"$address\" \"${{given[@]}}\" {} |\n"
        "        grep -o '\"name\":\"/[^\"]*' | cut -d/ -f2-\n"
        "}}\n"
        "_alknet() {{\n"
        "    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}\n"
        "    local command= words= word index values=' {}' groups=' {}'\n"
        "    local address= operands=0 given=()\n"
        "    case $previous in\n{}    esac\n"
        "    for ((index = 1; index < COMP_CWORD; index++)); do\n"
        "        word=${{COMP_WORDS[index]}}\n"
        "        if [[ $values == *\" $word \"* ]]; then\n"
        "            ((index++))\n"
        "            [[ $word != --home && $word != --identity ]] ||\n"
        "                given+=(\"$word\" \"${{COMP_WORDS[index]}}\")\n"
        "        elif [[ $word != -* && -z $command ]]; then\n"
        "            command=$word\n"
        "        elif [[ $word != -* && $groups == *\" $command \"* ]]; then\n"
        "            command=\"$command $word\"\n"
        "        elif [[ $word == [:@]* || $address == *[:@] ]]; then\n"
        "            address+=$word\n"
        "        elif [[ $word != -* ]]; then\n"
        "            ((operands++))\n"
        "            address=${{address:-$word}}\n"
        "        fi\n"
        "    done\n"
        "    case $command in\n"
        "    '') words='{} --help --version --home --json' ;;\n{}    esac\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
        "}}\n"
        "complete -o default -F _alknet alknet\n",
        kAskOperations, values, nested, bash_values(options), joined(first), cases);
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
    if (is_operation(option)) {
        return "_alknet_operations";
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

std::string zsh_words(const std::vector<std::pair<std::string, std::string>>& words) {
    std::string text;
    for (const auto& [word, about] : words) {
        text += fmt::format(" '{}:{}'", word, escaped(about, ":\\"));
    }
    return text;
}

std::string zsh_case(const Group& group) {
    if (!group.nested()) {
        return fmt::format("    {}) _arguments{} ;;\n", group.word,
                           zsh_arguments(group.commands.front()));
    }
    std::vector<std::pair<std::string, std::string>> verbs;
    std::string cases;
    for (const CommandInfo& command : group.commands) {
        const std::string verb = split(command.name).back();
        verbs.emplace_back(verb, command.about);
        cases += fmt::format("        {}) _arguments{} ;;\n", verb, zsh_arguments(command));
    }
    return fmt::format(
        "    {})\n"
        "        if ((CURRENT == 2)); then\n"
        "            commands=({} )\n"
        "            _describe command commands\n"
        "            return\n"
        "        fi\n"
        "        shift words; ((CURRENT--))\n"
        "        case $words[1] in\n{}        esac ;;\n",
        group.word, zsh_words(verbs), cases);
}

std::string zsh(const std::vector<CommandInfo>& commands) {
    std::vector<std::pair<std::string, std::string>> first;
    std::string cases;
    for (const Group& group : groups_of(commands)) {
        first.emplace_back(group.word, group.about());
        cases += zsh_case(group);
    }
    return fmt::format(
        "#compdef alknet\n"
        "_alknet_operations() {{\n"
        "    local -a names\n"
        "    names=(${{(f)\"$(timeout 2 alknet call ${{words[2]}} {} |\n"
        "        grep -o '\"name\":\"/[^\"]*' | cut -d/ -f2-)\"}})\n"
        "    compadd -a names\n"
        "}}\n"
        "_alknet() {{\n"
        "    local -a commands\n"
        "    if ((CURRENT == 2)); then\n"
        "        commands=({} )\n"
        "        _describe command commands\n"
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
        kAskOperations, zsh_words(first), cases);
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
    std::string text = fmt::format(
        "# fish completion for alknet\n"
        "function __alknet_operations\n"
        "    set -l typed (commandline -opc)\n"
        "    timeout 2 alknet call $typed[3] {} | string match -rag '\"name\":\"/([^\"]*)'\n"
        "end\n"
        "complete -c alknet -f\n",
        kAskOperations);
    for (const Group& group : groups_of(commands)) {
        const std::string seen = "__fish_seen_subcommand_from " + group.word;
        text += fmt::format("complete -c alknet -n __fish_use_subcommand -a {} -d '{}'\n",
                            group.word, escaped(group.about(), "\\"));
        for (const CommandInfo& command : group.commands) {
            std::string condition = seen;
            if (group.nested()) {
                const std::string verb = split(command.name).back();
                condition += "; and __fish_seen_subcommand_from " + verb;
                text += fmt::format(
                    "complete -c alknet -n '{}; and not __fish_seen_subcommand_from {}' -a {} -d "
                    "'{}'\n",
                    seen, joined(group.verbs()), verb, escaped(command.about, "\\"));
            }
            for (const OptionInfo& option : command.options) {
                if (option.operand() && is_operation(option)) {
                    text += fmt::format(
                        "complete -c alknet -n '{}; and test (count (commandline -opc)) -eq 3' "
                        "-a '(__alknet_operations)'\n",
                        condition);
                } else if (!option.operand() || !option.choices().empty() || takes_file(option)) {
                    text += fish_option(condition, option);
                }
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
