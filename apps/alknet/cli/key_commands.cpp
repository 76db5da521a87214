#include <alknet/identity/rotation.hpp>

#include "grammar.hpp"
#include "options.hpp"

namespace alknet::app {

void add_key_commands(Grammar& grammar) {
    using Action = KeyOptions::Action;
    CLI::App& key = grammar.group("key", "Change the node's key for another");
    const auto leaf = [&](const std::string& word, const std::string& about, Action action) {
        const auto options = std::make_shared<KeyOptions>();
        options->action = action;
        return std::pair<CLI::App*, std::shared_ptr<KeyOptions>>(
            &grammar.leaf(key, word, about, options), options);
    };
    const auto [rotate, rotating] =
        leaf("rotate", "Make the key to come, and say so under the old one", Action::rotate);
    add_duration(*rotate, "--overlap", rotating->overlap,
                 "For how long both keys are believed, at most 366d", identity::kRotationMax);
    rotate->footer(
        "The key to come is made beside the old one, with a statement that both sign. A running "
        "node tells it to the peers that have an address, and to everybody who asks; the key that "
        "it shows stays. Give them time, then use alknet key switch. Whoever meets "
        " the new key before the overlap ends, and has not heard of it, asks for the "
        "statement. It is no remedy for a key that was stolen: whoever has it can sign one too.");
    const auto change =
        leaf("switch", "Show the new key from now on; the old one is gone", Action::change);
    change.first->footer(
        "A running node shows it in every handshake from then on; the connections that it has go "
        "on. Invitations and signed tokens that were made for the old key are worth nothing then.");
    const auto [announce, announcing] =
        leaf("announce", "Tell the peers that have an address, now", Action::announce);
    add_duration(*announce, "--timeout", announcing->timeout,
                 "How long each handshake, and each answer, may take");
    announce->footer("A running node does it by itself; this is for a home in which none runs.");
    const auto abandon = leaf("abandon", "Forget the key to come", Action::abandon);
    abandon.first->footer("Only while nobody was told of it.");
}

}  // namespace alknet::app
