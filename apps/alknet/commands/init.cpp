#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstdio>

#include "commands.hpp"
#include "output.hpp"
#include "services.hpp"

namespace alknet::app {

namespace {

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : std::string();
}

// One line from the terminal, cut into words; none at its end.
std::vector<std::string> ask(const std::string& question) {
    (void)std::fputs(question.c_str(), stderr);
    std::vector<std::string> words(1);
    for (int c = std::getchar(); c != EOF && c != '\n'; c = std::getchar()) {
        if (c == ' ' || c == ',') {
            words.emplace_back();
        } else {
            words.back() += static_cast<char>(c);
        }
    }
    std::erase(words, "");
    return words;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text.append(text.empty() ? "" : " ").append(word);
    }
    return text;
}

void ask_for_missing(InitOptions& options, const std::vector<std::string>& names) {
    if (options.listen.empty()) {
        options.listen = ask("Listen where, as IP:PORT? [[::]:4433, which is everywhere] ");
    }
    if (options.names.empty()) {
        options.names = ask("Names for the certificate? [" + joined(names) + "] ");
    }
}

result<void> report(const CommandLine& line, const std::filesystem::path& directory,
                    const config::Created& created) {
    ALKNET_TRY(const auto home, config::Home::open(directory, services()));
    ALKNET_TRY(const auto config, home.load_config());
    ALKNET_TRY(const auto key, home.load_key(config.fixed));
    const std::string url = node_url(key->id(), config, "");
    if (line.json) {
        return print_line(Json::object({{"home", directory.native()},
                                        {"node_id", key->id().hex()},
                                        {"address", url},
                                        {"written", Json::list(created.written)},
                                        {"kept", Json::list(created.kept)}})
                              .text());
    }
    std::string text = "made a node in " + directory.native() + "\n";
    text += "  node id  " + key->id().fingerprint() + "\n";
    text += "  address  " + url + "\n";
    text += "  written  " + joined(created.written) + "\n";
    if (!created.kept.empty()) {
        text += "  kept     " + joined(created.kept) + "\n";
    }
    text += "next: alknet serve";
    if (line.home) {
        text += " --home " + line.home->native();
    }
    return print_text(text + "\n");
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const InitOptions& given) {
    InitOptions options = given;
    ALKNET_TRY(const auto directory, home_directory(line));
    std::vector<std::string> default_names = {host_name(), "localhost"};
    std::erase_if(default_names, [](const std::string& name) { return !host_given("", name); });
    const auto repeated = std::ranges::unique(default_names);
    default_names.erase(repeated.begin(), repeated.end());
    if (!options.no_input && !line.json && ::isatty(STDIN_FILENO) == 1 &&
        ::isatty(STDERR_FILENO) == 1) {
        ask_for_missing(options, default_names);
    }
    for (const std::string& address : options.listen) {
        ALKNET_CHECK(SocketAddress::parse(address));
    }
    for (std::string& name : options.names) {
        const std::string_view wildcard = name.starts_with("*.") ? "*." : "";
        ALKNET_TRY(const std::string host,
                   host_given("--name", std::string_view(name).substr(wildcard.size())));
        name = std::string(wildcard) + host;
    }
    const config::CreateOptions create{
        .addresses = options.listen,
        .names = options.names.empty() ? default_names : options.names,
        .program = "alknet " + std::string(kVersion)};
    ALKNET_TRY(const auto created, config::Home::create(directory, create));
    ALKNET_CHECK(report(line, directory, created));
    return ExitCode::ok;
}

}  // namespace alknet::app
