// The values that options take, as CLI11 reads them. Private to this directory.
#pragma once

#include <CLI/CLI.hpp>

#include <map>
#include <string>

#include "cli.hpp"
#include "options.hpp"

namespace alknet::app {

inline constexpr std::string_view kAddressHelp =
    "Where and who: a peer's name, alknet://NODE_ID@HOST:PORT, a node id, or "
    "HOST[:PORT]";

// One of the words that stand between bars in `words`.
template <class T>
CLI::Option* add_choice(CLI::App& command, const std::string& name, T& into,
                        const std::map<std::string, T>& words, const std::string& about) {
    std::string value;
    for (const auto& [word, meaning] : words) {
        value += (value.empty() ? "" : "|") + word;
    }
    const auto assign = [&into, name, words, value](const std::string& text) {
        const auto found = words.find(text);
        if (found == words.end()) {
            throw CLI::ValidationError(name + " is one of " + value + ", and not '" + text + "'");
        }
        into = found->second;
    };
    return metavar(command.add_option_function<std::string>(name, assign, about), value);
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
