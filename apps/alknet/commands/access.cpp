// alknet access check: what the node would decide, which line decides, and what would change it.
#include <fmt/format.h>
#include <alknet/base/causes.hpp>
#include <alknet/identity/authorized_keys.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/policy.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::Change;
using identity::Decision;

// Of a key in authorized_keys, to which alknet.toml gives the same as to the others: it becomes a
// peer of its own, which goes before its line.
std::string advice_for_line(const Change& change, const identity::PeerRecord& peer) {
    if (change.kind == Change::Kind::renew) {
        return "set expiry-time to a later day (" + peer.origin.text() + ")";
    }
    std::string scopes;
    for (const identity::Grant& grant : peer.grants) {
        scopes += grant.scope.text() + ",";
    }
    return fmt::format("alknet peer add {} --key {} --scopes {}{}, in place of {}", peer.name,
                       peer.fingerprints.front(), scopes, change.scope, peer.origin.text());
}

// How advice calls whoever was asked about.
struct Asked {
    std::string name;
    std::string key;
};

Asked called(const std::string& words, const identity::PeerRecord* peer) {
    if (peer != nullptr) {
        return {.name = peer->name, .key = {}};
    }
    if (auto key = identity::parse_fingerprint(words)) {
        return {.name = "NAME", .key = *std::move(key)};
    }
    return {.name = identity::check_name(words) ? words : "NAME", .key = "KEY"};
}

const identity::PeerRecord* find(const identity::PeerDirectory& peers, const std::string& words) {
    if (const identity::PeerRecord* named = peers.find_name(words)) {
        return named;
    }
    if (const identity::PeerRecord* known = peers.find(words)) {
        return known;
    }
    const auto key = identity::parse_fingerprint(words);
    return key ? peers.find_fingerprint(*key) : nullptr;
}

// As a person would do it: by a command for who was added by one, else in the file.
std::string advice(const Change& change, const Asked& asked, const identity::PeerRecord* peer) {
    const std::string& name = asked.name;
    if (peer != nullptr && peer->id.starts_with(identity::kAuthorizedIdPrefix)) {
        return advice_for_line(change, *peer);
    }
    const bool by_hand = peer != nullptr && peer->origin.line != 0;
    const std::string place =
        by_hand ? fmt::format(" (peer {}, {})", name, peer->origin.text()) : "";
    switch (change.kind) {
        case Change::Kind::add_peer:
            return fmt::format("alknet peer add {} --key {}", name, asked.key);
        case Change::Kind::enable:
            return by_hand ? "set enabled = true" + place
                           : fmt::format("alknet peer enable {}", name);
        case Change::Kind::renew:
            return by_hand ? "set expires to a later day" + place
                           : fmt::format("alknet peer renew {}", name);
        case Change::Kind::add_scope:
            break;
    }
    return by_hand ? fmt::format("add the scope \"{}\"{}", change.scope, place)
                   : fmt::format("alknet peer scopes {} --add {}", name, change.scope);
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const AccessCheckOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const auto config, home.load_config());
    ALKNET_TRY(auto wanted, identity::Scope::parse_exact(options.scope));
    ALKNET_TRY(const auto stored, stored_peers(home));
    ALKNET_TRY(const auto peers, all_peers(home, config.dynamic, stored));
    const identity::PeerRecord* peer = find(*peers, options.peer);
    const Decision decision = identity::decide(*peers, {.peer = peer == nullptr ? "" : peer->id,
                                                        .wanted = std::move(wanted),
                                                        .now = SystemClock().wall_now()});
    std::vector<std::string> changes;
    for (const Change& change : decision.changes) {
        changes.push_back(advice(change, called(options.peer, peer), peer));
    }
    if (line.json) {
        ALKNET_CHECK(print_line(Json::object({{"allowed", decision.allowed()},
                                              {"verdict", to_string(decision.verdict)},
                                              {"rule", decision.rule},
                                              {"origin", decision.origin.text()},
                                              {"role", decision.role},
                                              {"changes", Json::list(changes)}})
                                    .text()));
    } else {
        std::string text = printable(identity::explain(decision)) + "\n";
        for (const std::string& change : changes) {
            text += fmt::format("to allow it: {}\n", change);
        }
        ALKNET_CHECK(print_text(text));
    }
    return decision.allowed() ? ExitCode::ok : ExitCode::refused;
}

}  // namespace alknet::app
