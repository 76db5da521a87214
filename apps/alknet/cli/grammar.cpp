#include "grammar.hpp"

#include "options.hpp"

namespace alknet::app {

void Grammar::add_global(CLI::App& command) {
    metavar(command.add_option("--home", home_,
                               "The node's directory; else $ALKNET_HOME, else alknet in "
                               "$XDG_DATA_HOME or ~/.local/share"),
            "DIR")
        ->check([](const std::string& text) {
            return text.empty() ? std::string("needs a directory") : std::string();
        });
    command.add_flag("--json", json_, "Print JSON, one object on a line; errors too");
}

Grammar::Grammar() {
    root_.set_help_flag("-h,--help", "Print this help");
    root_.add_flag("--version", version_, "Print the version");
    root_.require_subcommand(0, 1);  // `help ping` names one, and does not run it
    add_global(root_);
    add_node_commands(*this);
    add_config_commands(*this);
    add_peer_commands(*this);
    add_import_commands(*this);
    add_token_commands(*this);
    add_access_commands(*this);
    add_audit_commands(*this);
    add_key_commands(*this);
    add_known_commands(*this);
    add_network_commands(*this);
    add_ssh_commands(*this);
    add_call_commands(*this);
    add_doctor_commands(*this);
    add_help_commands(*this);
}

CLI::App& Grammar::group(const std::string& name, const std::string& about) {
    CLI::App& command = *root_.add_subcommand(name, about);
    command.require_subcommand(1);
    return command;
}

void Grammar::add_identity(CLI::App& command) {
    metavar(command.add_option("-i,--identity", identity_,
                               "Show this private key instead of the home's: Ed25519, as alknet, "
                               "openssl or ssh-keygen write it"),
            "FILE");
}

void Grammar::add_rest(CLI::App& command, const std::string& name, const std::string& about,
                       std::vector<std::string>& into) {
    command.prefix_command();
    command.callback([&command, &into] { into = command.remaining(); });
    rests_[&command] = {.names = {}, .value = name, .about = about, .repeatable = true};
}

const OptionInfo* Grammar::rest_of(const CLI::App& command) const {
    const auto found = rests_.find(&command);
    return found == rests_.end() ? nullptr : &found->second;
}

const CLI::App* Grammar::chosen() const {
    for (const auto& [command, verb] : leaves_) {
        if (command->parsed()) {
            return command;
        }
    }
    return nullptr;
}

CommandLine Grammar::take() {
    CommandLine line;
    line.identity = identity_;
    if (!home_.empty()) {
        line.home = home_;
    }
    line.json = json_;
    line.verb = VersionOptions();
    for (const auto& [command, verb] : leaves_) {
        if (command->parsed()) {
            line.verb = verb();
        }
    }
    return line;
}

std::vector<const CLI::App*> Grammar::leaves() const {
    std::vector<const CLI::App*> all;
    for (const auto& [command, verb] : leaves_) {
        all.push_back(command);
    }
    return all;
}

}  // namespace alknet::app
