#include "joining.hpp"

#include <alknet/base/causes_config.hpp>
#include <alknet/config/change.hpp>
#include <alknet/identity/names.hpp>
#include <optional>
#include <utility>

#include "peers.hpp"

namespace alknet::app {

namespace {

// Each with its place.
std::vector<std::pair<std::string, std::string>> named_peers(const config::Config& config) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const identity::ForwardRule& rule : config.dynamic.forwarding) {
        for (const std::string& peer : rule.peers) {
            all.emplace_back(peer,
                             "the forwarding rule in line " + std::to_string(rule.origin.line));
        }
    }
    for (const config::Import& import : config.dynamic.imports) {
        for (const std::string& peer : import.from()) {
            all.emplace_back(peer, "the import " + import.prefix);
        }
    }
    for (const config::Assertion& assertion : config.dynamic.assertions) {
        all.emplace_back(assertion.peer, "the assertion in line " + std::to_string(assertion.line));
    }
    return all;
}

std::vector<std::string> names_of(const config::Config& config) {
    std::vector<std::string> names;
    for (auto& [name, place] : named_peers(config)) {
        names.push_back(std::move(name));
    }
    return names;
}

// What a node took before the change that waits; nullopt: nothing waits, or none took it.
result<std::optional<config::Config>> config_before(const config::Home& home) {
    ALKNET_TRY(const auto text, config::text_before_change(home));
    if (!text) {
        return std::nullopt;
    }
    auto before = home.parse_config(*text);
    return before ? std::optional(*std::move(before)) : std::nullopt;
}

}  // namespace

std::string named_by(const config::Config& config, std::string_view name) {
    const std::string skeleton = identity::name_skeleton(name);
    for (const auto& [other, place] : named_peers(config)) {
        if (identity::name_skeleton(other) == skeleton) {
            return place;
        }
    }
    return {};
}

std::vector<identity::Scope> program_scopes(const config::Config& config) {
    std::vector<identity::Scope> scopes;
    const auto add = [&](const std::string& text) {
        if (auto scope = identity::Scope::parse_exact(text)) {
            scopes.push_back(*std::move(scope));
        }
    };
    for (const config::Program& program : config.fixed.programs) {
        add(program.scope);
        if (const auto rules = config.dynamic.alpns.find(program.alpn);
            rules != config.dynamic.alpns.end()) {
            add(rules->second.scope);
        }
    }
    for (const config::Import& import : config.dynamic.imports) {
        add(import.scope);
    }
    return scopes;
}

identity::FixedPeers fixed_for_joining(const config::Home& home, const config::Config& config,
                                       std::shared_ptr<const identity::PeerList> list) {
    identity::FixedPeers fixed{
        .list = std::move(list), .names = names_of(config), .programs = program_scopes(config)};
    fixed.undone =
        [home](const identity::PeerList& stored) -> result<std::optional<identity::UndonePeers>> {
        ALKNET_TRY(const auto before, config_before(home));
        if (!before) {
            return std::nullopt;
        }
        return identity::UndonePeers{
            .list = written_peers(place_of(home), before->dynamic, stored).list,
            .names = names_of(*before)};
    };
    return fixed;
}

result<void> check_with_undone(const config::Home& home, const identity::PeerList& stored) {
    ALKNET_TRY(const auto before, config_before(home));
    if (!before) {
        return {};
    }
    const auto peers = accepted_peers(home, before->dynamic, stored);
    return peers ? result<void>()
                 : fail(causes::kConfigPending,
                        "were it undone, a node would refuse this: " + peers.error().message());
}

}  // namespace alknet::app
