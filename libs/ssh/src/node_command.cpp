#include "node_command.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>

namespace alknet::ssh {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view without_blanks(std::string_view text) noexcept {
    const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
    text.remove_prefix(begin);
    return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

std::string_view take_word(std::string_view& text) noexcept {
    const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
    text = without_blanks(text.substr(word.size()));
    return word;
}

}  // namespace

result<std::optional<NodeCommand>> NodeCommand::parse(std::string_view text) {
    text = without_blanks(text);
    const std::string_view word = take_word(text);
    NodeCommand command{.operation = {}, .input = {}};
    if (word == "call") {
        command.kind = Kind::call;
        std::string_view operation = take_word(text);
        operation.remove_prefix(operation.starts_with('/') ? 1 : 0);
        if (operation.empty()) {
            return fail(causes::kUsage, "call OPERATION [INPUT]; ops shows what there is");
        }
        command.operation = operation;
        command.input = text;
        return command;
    }
    if (word != "help" && word != "ops") {
        return std::nullopt;
    }
    if (!text.empty()) {
        return fail(causes::kUsage, std::string(word) + " takes nothing");
    }
    command.kind = word == "ops" ? Kind::ops : Kind::help;
    return command;
}

}  // namespace alknet::ssh
