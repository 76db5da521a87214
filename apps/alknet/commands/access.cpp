// alknet access check: what the node would decide, which line decides, and what would change it.
#include <fmt/format.h>
#include <alknet/base/causes.hpp>
#include <alknet/identity/authorized_keys.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/forwarding.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/combine.hpp>
#include <optional>

#include "commands.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::Change;
using identity::Decision;

constexpr std::string_view kAnyScope = "forward:any";

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

// What forwarding rules are asked.
struct ForwardAsked {
    identity::ForwardClaim claim;
    std::string host;
    std::uint16_t port = 0;
    std::string path{};  // of a socket
};

// nullopt: it is a scope.
result<std::optional<ForwardAsked>> parse_forward(const std::string& text) {
    for (const auto claim : {identity::ForwardClaim::connect, identity::ForwardClaim::listen}) {
        const std::string word = std::string(to_string(claim)) + " ";
        if (!text.starts_with(word)) {
            continue;
        }
        const std::string where = text.substr(word.size());
        if (where.starts_with('/')) {
            return ForwardAsked{.claim = claim, .host = {}, .path = where};
        }
        ALKNET_TRY(const NodeAddress address, NodeAddress::parse(where));
        if (address.id || address.host.empty() || !address.port) {
            return fail(causes::kUsage,
                        "--do '" + word + "...' takes HOST:PORT, or a socket's path");
        }
        return ForwardAsked{.claim = claim, .host = address.host, .port = *address.port};
    }
    return std::nullopt;
}

result<std::vector<SocketAddress>> places_of(const ForwardAsked& asked, const std::string& given) {
    if (!asked.path.empty()) {
        return std::vector<SocketAddress>(1);
    }
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    const auto network = net::make_system_network();
    ALKNET_TRY(
        auto found,
        block_on(*loop, network->resolve(*loop, given.empty() ? asked.host : given, asked.port),
                 "resolve"));
    return found;
}

std::string advice(const identity::ForwardChange& change,
                   const std::vector<identity::ForwardRule>& rules, const std::string& file) {
    std::string text =
        fmt::format("put [[forwarding.rules]] with target = \"{}\", peers = [\"{}\"]",
                    change.rule.target.text(), change.rule.peers.front());
    if (change.rule.claim == identity::ForwardClaim::listen) {
        text += ", claim = \"listen\"";
    }
    return text + (change.before < rules.size()
                       ? " before the rule at " + rules[change.before].origin.text()
                       : " at the end of the rules in " + file);
}

// Of each address of the host.
result<ExitCode> check_forward(const CommandLine& line, const AccessCheckOptions& options,
                               const ForwardAsked& asked, const identity::PeerRecord& peer,
                               std::vector<identity::ForwardRule> rules, const std::string& file) {
    for (identity::ForwardRule& rule : rules) {
        rule.origin.file = file;
    }
    ALKNET_TRY(const auto places, places_of(asked, options.address));
    bool allowed = false;
    Json::Array decisions;
    std::string text;
    for (const SocketAddress& place : places) {
        const identity::ForwardQuestion question{.claim = asked.claim,
                                                 .peer = peer.name,
                                                 .roles = peer.roles,
                                                 .host = asked.host,
                                                 .resolved = place,
                                                 .path = asked.path};
        const std::string where = asked.path.empty() ? place.to_string() : printable(asked.path);
        const auto decision = identity::decide_forward(rules, question);
        const auto change = identity::change_to_allow(rules, question);
        allowed = allowed || decision.allowed();
        const std::string how = change ? advice(*change, rules, file) : "";
        decisions.push_back(Json::object(
            {{"address", where},
             {"allowed", decision.allowed()},
             {"verdict", to_string(decision.verdict)},
             {"rule", decision.rule == nullptr ? Json() : Json(decision.rule->target.text())},
             {"origin", decision.rule == nullptr ? Json() : Json(decision.rule->origin.text())},
             {"change", change ? Json(how) : Json()}}));
        text += fmt::format("{}: {}\n", where, printable(decision.explain()));
        text += change ? fmt::format("to allow it: {}\n", printable(how)) : "";
    }
    ALKNET_CHECK(
        line.json
            ? print_line(
                  Json::object({{"allowed", allowed}, {"decisions", std::move(decisions)}}).text())
            : print_text(text));
    return allowed ? ExitCode::ok : ExitCode::refused;
}

// What stands in the way of the changes: each assertion that forbids them.
std::vector<std::string> forbidden(const identity::PeerDirectory& peers, const Asked& asked,
                                   const identity::PeerRecord* peer,
                                   const std::vector<Change>& changes) {
    identity::PeerRecord then;
    if (peer != nullptr) {
        then = *peer;
    } else {
        then.id = then.name = asked.name;
    }
    for (const Change& change : changes) {
        then = identity::changed(std::move(then), change, SystemClock().wall_now());
    }
    std::vector<std::string> all;
    for (const identity::Broken& one : identity::broken_by(peers, std::move(then))) {
        all.push_back(fmt::format("[[access.assert]] at {}: {} must not be allowed {}",
                                  one.assertion.origin.text(), one.assertion.peer,
                                  one.assertion.wanted.text()));
    }
    return all;
}

// Whether the peer is known and may come at all, whatever it asks for.
bool about_the_peer(const Decision& decision) {
    return !decision.allowed() && decision.verdict != identity::Verdict::no_grant;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const AccessCheckOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const auto config, home.load_config());
    ALKNET_TRY(const auto forward, parse_forward(options.wanted));
    // Any scope will do where forwarding is asked about: only what is wrong with the peer counts.
    ALKNET_TRY(auto wanted,
               identity::Scope::parse_exact(forward ? std::string(kAnyScope) : options.wanted));
    ALKNET_TRY(const auto stored, stored_peers(home));
    ALKNET_TRY(const auto peers, all_peers(home, config.dynamic, stored));
    const identity::PeerRecord* peer = find(*peers, options.peer);
    const Decision decision = identity::decide(*peers, {.peer = peer == nullptr ? "" : peer->id,
                                                        .wanted = std::move(wanted),
                                                        .now = SystemClock().wall_now()});
    if (forward && !about_the_peer(decision) && peer != nullptr) {
        return check_forward(line, options, *forward, *peer, config.dynamic.forwarding,
                             home.config_file().native());
    }
    std::vector<Change> needed = decision.changes;
    if (forward) {
        std::erase_if(needed,
                      [](const Change& one) { return one.kind == Change::Kind::add_scope; });
    }
    const Asked asked = called(options.peer, peer);
    std::vector<std::string> changes;
    for (const Change& change : needed) {
        changes.push_back(advice(change, asked, peer));
    }
    const std::vector<std::string> against = forbidden(*peers, asked, peer, needed);
    if (line.json) {
        ALKNET_CHECK(print_line(Json::object({{"allowed", decision.allowed()},
                                              {"verdict", to_string(decision.verdict)},
                                              {"rule", decision.rule},
                                              {"origin", decision.origin.text()},
                                              {"role", decision.role},
                                              {"changes", Json::list(changes)},
                                              {"forbidden_by", Json::list(against)}})
                                    .text()));
    } else {
        std::string text = printable(identity::explain(decision)) + "\n";
        for (const std::string& change : changes) {
            text += fmt::format("to allow it: {}\n", change);
        }
        for (const std::string& one : against) {
            text += fmt::format("which is refused by {}\n", printable(one));
        }
        ALKNET_CHECK(print_text(text));
    }
    return decision.allowed() ? ExitCode::ok : ExitCode::refused;
}

}  // namespace alknet::app
