// The values that options take, as CLI11 reads them. Only for cli_parse.cpp: CLI11 costs seconds in
// every file that sees it.
#pragma once

#include <CLI/CLI.hpp>

#include <alknet/base/number.hpp>
#include <alknet/config/units.hpp>
#include <map>
#include <string>

#include "cli.hpp"

namespace alknet::app {

inline constexpr std::string_view kAddressHelp =
    "Where and who: a peer's name, alknet://NODE_ID@HOST:PORT, a node id, or "
    "HOST[:PORT]";

// Names the option's value in the help.
inline CLI::Option* metavar(CLI::Option* option, std::string value) {
    return option->type_name(std::move(value))->allow_extra_args(false);
}

// One of the words that stand between bars in `words`.
template <class T>
CLI::Option* add_choice(CLI::App& command, const std::string& name, T& into,
                        const std::map<std::string, T>& words, const std::string& about) {
    std::string value;
    for (const auto& [word, meaning] : words) {
        value += (value.empty() ? "" : "|") + word;
    }
    const auto assign = [&into, words, value](const std::string& text) {
        const auto found = words.find(text);
        if (found == words.end()) {
            throw CLI::ValidationError("must be one of " + value + ", and is '" + text + "'");
        }
        into = found->second;
    };
    return metavar(command.add_option_function<std::string>(name, assign, about), value);
}

inline CLI::Option* add_duration(CLI::App& command, const std::string& name, Duration& into,
                                 const std::string& about) {
    const auto assign = [&into, name](const std::string& text) {
        const auto duration = config::parse_duration(text);
        const bool nothing = name == "--timeout" && duration && *duration == Duration();
        if (!duration || nothing || *duration > std::chrono::hours(24)) {
            throw CLI::ValidationError(name + " is a duration such as 500ms, 2s or 1m, and not '" +
                                       text + "'");
        }
        into = *duration;
    };
    const std::string text = about + " (" + config::duration_text(into) + ")";
    return metavar(command.add_option_function<std::string>(name, assign, text), "DURATION");
}

inline CLI::Option* add_count(CLI::App& command, const std::string& name, std::uint32_t& into,
                              const std::string& about, std::uint32_t max = 1'000'000) {
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

inline void add_address(CLI::App& command, std::string& into) {
    metavar(command.add_option("ADDRESS", into, std::string(kAddressHelp)), "ADDRESS")->required();
}

inline void add_wishes(CLI::App& command, DialWishes& into) {
    const std::map<std::string, Via> ways = {
        {"quic", Via::quic}, {"tcp", Via::tcp}, {"proxy", Via::proxy}};
    add_choice<Via>(command, "--transport", into.prefer, ways,
                    "Begin with this one, and use the others only if it fails, or after three "
                    "seconds; without it QUIC, TLS on TCP, and TLS on TCP through the proxy that "
                    "HTTPS_PROXY or ALL_PROXY names are raced");
    add_choice<Via>(command, "--only", into.only, ways,
                    "Use this one alone, whatever was remembered and however it fails");
    add_choice<std::optional<quic::Congestion>>(
        command, "--congestion", into.congestion,
        {{"bbr", quic::Congestion::bbr}, {"cubic", quic::Congestion::cubic}},
        "The congestion control of QUIC from here; without it what alknet.toml says of the peer, "
        "or bbr");
    command.add_flag("--tofu", into.tofu,
                     "Trust what a bare HOST shows the first time, without asking; a HOST that is "
                     "known already must be what it was");
}

}  // namespace alknet::app
