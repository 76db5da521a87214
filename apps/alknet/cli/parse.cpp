#include <CLI/CLI.hpp>

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/config/config.hpp>
#include <sstream>

#include "grammar.hpp"

namespace alknet::app {

namespace {

std::string full_name(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    const bool below_root = parent == nullptr || parent->get_parent() == nullptr;
    return below_root ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

OptionInfo describe(const CLI::Option& option) {
    OptionInfo info;
    for (const std::string& name : option.get_lnames()) {
        info.names.push_back("--" + name);
    }
    for (const std::string& name : option.get_snames()) {
        info.names.push_back("-" + name);
    }
    info.value = option.get_expected_max() == 0 ? "" : option.get_type_name();
    info.about = option.get_description();
    info.required = option.get_required();
    info.repeatable = option.get_expected_max() > 1;
    return info;
}

CommandInfo describe(const CLI::App& command) {
    CommandInfo info{.name = full_name(command),
                     .about = command.get_description(),
                     .details = command.get_footer(),
                     .options = {}};
    for (const CLI::Option* option : command.get_options()) {
        info.options.push_back(describe(*option));
    }
    return info;
}

// Of the arguments that CLI11 did not expect, the one that a person has to correct: an option, for
// what follows it may only be its value.
std::string first_extra(const CLI::ExtrasError& failure) {
    const std::string text = failure.what();
    const std::size_t colon = text.rfind(": ");
    std::istringstream extras(colon == std::string::npos ? text : text.substr(colon + 2));
    std::string first;
    for (std::string word; extras >> word;) {
        if (word.starts_with('-') || first.empty()) {
            first = word;
        }
    }
    return first;
}

error unknown_word(const std::string& word, const CLI::App* command) {
    if (command == nullptr && !word.starts_with('-')) {
        return unknown_command(word);
    }
    std::vector<std::string> names;
    if (command != nullptr && word.starts_with('-')) {
        for (const OptionInfo& option : describe(*command).options) {
            names.insert(names.end(), option.names.begin(), option.names.end());
        }
    }
    const std::string_view meant = config::nearest_name(word, {names.begin(), names.end()});
    std::string text = "'" + word + "' is not expected";
    if (command != nullptr) {
        text += " by alknet " + full_name(*command);
    }
    if (!meant.empty()) {
        text += "; did you mean '" + std::string(meant) + "'?";
    } else if (command != nullptr && !word.starts_with('-')) {
        text += ", which is: " + describe(*command).synopsis();
    }
    return error(causes::kUsage, std::move(text));
}

// "--key: 1 required KEY missing" as a person would say it.
std::string mismatch(const CLI::ArgumentMismatch& failure) {
    constexpr std::string_view kBegin = ": 1 required ";
    constexpr std::string_view kEnd = " missing";
    std::string text = failure.what();
    const std::size_t begin = text.find(kBegin);
    if (begin == std::string::npos || !text.ends_with(kEnd)) {
        return text;
    }
    const std::size_t value = begin + kBegin.size();
    return text.substr(0, begin) +
           " needs a value: " + text.substr(value, text.size() - kEnd.size() - value);
}

// What follows a word that stands before commands is none of them, or is not there.
error incomplete_command(const CLI::App& root) {
    const auto groups = root.get_subcommands();
    if (groups.empty()) {
        return error(causes::kUsage, "a command is missing");
    }
    const std::string group = groups.front()->get_name();
    bool value = false;
    for (const std::string& word : groups.front()->remaining()) {
        if (!value && !word.starts_with('-')) {
            return unknown_command(std::string(group).append(" ").append(word));
        }
        value = word == "--home";
    }
    std::string words;
    for (const CLI::App* command : groups.front()->get_subcommands({})) {
        words += (words.empty() ? "" : ", ") + command->get_name();
    }
    return error(causes::kUsage, "after " + group + " comes one of: " + words);
}

result<CommandLine> parse_with(Grammar& grammar, int argc, const char* const* argv) {
    try {
        grammar.root().parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        CommandLine line = grammar.take();
        const CLI::App* chosen = grammar.chosen();
        const auto groups = grammar.root().get_subcommands();
        line.verb = HelpOptions{chosen != nullptr ? full_name(*chosen)
                                : groups.empty()  ? ""
                                                  : groups.front()->get_name()};
        return line;
    } catch (const CLI::RequiredError& failure) {
        if (grammar.chosen() == nullptr) {
            return unexpected(incomplete_command(grammar.root()));
        }
        return fail(causes::kUsage,
                    std::string(failure.what()) + ": " + describe(*grammar.chosen()).synopsis());
    } catch (const CLI::ArgumentMismatch& failure) {
        return fail(causes::kUsage, mismatch(failure));
    } catch (const CLI::ExtrasError& failure) {
        return unexpected(unknown_word(first_extra(failure), grammar.chosen()));
    } catch (const CLI::ParseError& failure) {
        return fail(causes::kUsage, failure.what());
    }
    if (grammar.chosen() == nullptr && grammar.root().count("--version") == 0) {
        return fail(causes::kUsage, "a command is missing; alknet help lists them");
    }
    return grammar.take();
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, const char* const* argv) {
    const bool json = std::any_of(
        argv, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
    Grammar grammar;
    return {.outcome = parse_with(grammar, argc, argv), .json = json};
}

std::vector<CommandInfo> describe_commands() {
    const Grammar grammar;
    std::vector<CommandInfo> all;
    for (const CLI::App* command : grammar.leaves()) {
        all.push_back(describe(*command));
        if (const OptionInfo* const rest = grammar.rest_of(*command)) {
            all.back().options.push_back(*rest);
        }
    }
    return all;
}

}  // namespace alknet::app
