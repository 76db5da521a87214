// The command line under construction: CLI11's tree, and where its values go. Each group of
// commands is a function in a file of its own, which adds its leaves; a new group is one more of
// them, and one line in Grammar's constructor. Private to this directory: CLI11 costs seconds in
// every file that sees it.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli.hpp"

namespace alknet::app {

/// What the footers of commands say that take an ADDRESS.
inline constexpr std::string_view kAddressDetails =
    "ADDRESS with a node id is reached only if the node proves that key. A bare HOST must have a "
    "certificate for its name that this system trusts, or be the one that it was when it was first "
    "trusted (alknet known). Nothing is sent to a node that is not "
    "verified. The command shows the key of --identity as its own, else the home's; without a "
    "home, a key made for this run.";

class Grammar {
public:
    Grammar();

    CLI::App& root() noexcept { return root_; }

    /// A command that runs: its values go to `options`, which becomes the verb.
    template <class Options>
    CLI::App& leaf(CLI::App& parent, const std::string& name, const std::string& about,
                   std::shared_ptr<Options> options);
    /// A word that stands before commands.
    CLI::App& group(const std::string& name, const std::string& about);
    /// Lets the command show another key than the home's.
    void add_identity(CLI::App& command);

    /// Everything behind the operands of `command` goes to `into`, whatever it looks like; the help
    /// calls it `name`.
    void add_rest(CLI::App& command, const std::string& name, const std::string& about,
                  std::vector<std::string>& into);
    /// What `add_rest` says; nullptr: nothing.
    [[nodiscard]] const OptionInfo* rest_of(const CLI::App& command) const;

    /// The leaf that was parsed; null if there is none.
    [[nodiscard]] const CLI::App* chosen() const;
    [[nodiscard]] CommandLine take();
    [[nodiscard]] std::vector<const CLI::App*> leaves() const;

private:
    void add_global(CLI::App& command);

    CLI::App root_{"A network node on which every service is an ALPN", "alknet"};
    std::string home_;
    std::string identity_;
    bool json_ = false;
    bool version_ = false;
    std::vector<std::pair<const CLI::App*, std::function<Verb()>>> leaves_;
    std::map<const CLI::App*, OptionInfo> rests_;
};

void add_node_commands(Grammar& grammar);
void add_config_commands(Grammar& grammar);
void add_peer_commands(Grammar& grammar);
/// Those of `alknet peer` that introduce nodes to one another.
void add_invitation_commands(Grammar& grammar, CLI::App& peer);
void add_token_commands(Grammar& grammar);
void add_access_commands(Grammar& grammar);
void add_audit_commands(Grammar& grammar);
void add_import_commands(Grammar& grammar);
void add_key_commands(Grammar& grammar);
void add_known_commands(Grammar& grammar);
void add_network_commands(Grammar& grammar);
void add_ssh_commands(Grammar& grammar);
void add_call_commands(Grammar& grammar);
void add_doctor_commands(Grammar& grammar);
void add_help_commands(Grammar& grammar);

template <class Options>
CLI::App& Grammar::leaf(CLI::App& parent, const std::string& name, const std::string& about,
                        std::shared_ptr<Options> options) {
    CLI::App& command = *parent.add_subcommand(name, about);
    add_global(command);
    leaves_.emplace_back(&command, [options] { return Verb(*options); });
    return command;
}

}  // namespace alknet::app
