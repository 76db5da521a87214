#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/config/config.hpp>
#include <tuple>

#include "fields.hpp"
#include "reading.hpp"

namespace alknet::config {

namespace {

// `above` is "" or the first part of the names of tables such as access.assert, with its dot.
void read_tree(Reading& in, const toml::table& tree, std::string_view above, Config& into) {
    std::vector<std::string_view> names;
    for (const Table& table : tables()) {
        if (table.name.starts_with(above)) {
            const std::string_view rest = table.name.substr(above.size());
            names.push_back(rest.substr(0, rest.find('.')));
        }
    }
    for (const auto& [key, value] : tree) {
        const Reading::Below below(in, key.str());
        const std::string name = std::string(above) + std::string(key.str());
        const auto found = std::ranges::find(tables(), name, &Table::name);
        if (found != tables().end() && found->read != nullptr) {
            found->read(in, value, into);
        } else if (above.empty() && std::ranges::find(names, key.str()) != names.end()) {
            if (const toml::table* inner = in.table(value)) {
                read_tree(in, *inner, name + ".", into);
            }
        } else {
            refuse_unknown(in, key, names);
        }
    }
}

// A program that alknet.toml names serves what it says there.
void add_programs(Reading& in, const toml::table& root) {
    const toml::array* programs = root["exec"].as_array();
    for (std::size_t i = 0; programs != nullptr && i < programs->size(); ++i) {
        const toml::table* program = programs->get(i)->as_table();
        if (program == nullptr) {
            continue;
        }
        if (const auto alpn = (*program)["alpn"].value<std::string>()) {
            in.add_service(*alpn);
        }
    }
}

// Roles may stand behind what names them.
void check_roles(Reading& in, const DynamicConfig& config) {
    for (const Peer& peer : config.peers) {
        for (const std::string& role : peer.roles) {
            if (std::ranges::find(config.roles, role, &Role::name) == config.roles.end()) {
                in.refuse_text(peer.line, 1,
                               "peer '" + peer.name + "': there is no role '" + role + "'");
            }
        }
    }
    for (const identity::ForwardRule& rule : config.forwarding) {
        for (const std::string& role : rule.roles) {
            if (std::ranges::find(config.roles, role, &Role::name) == config.roles.end()) {
                in.refuse_text(rule.origin.line, 1,
                               "forwarding rule: there is no role '" + role + "'");
            }
        }
    }
}

std::vector<identity::Grant> grants(const std::vector<std::string>& scopes,
                                    const std::vector<std::size_t>& lines,
                                    const std::string& file) {
    std::vector<identity::Grant> all;
    for (std::size_t i = 0; i < scopes.size(); ++i) {
        if (auto scope = identity::Scope::parse(scopes[i])) {
            all.push_back({.scope = *std::move(scope),
                           .origin = {.file = file, .line = i < lines.size() ? lines[i] : 0},
                           .role = {}});
        }
    }
    return all;
}

}  // namespace

identity::PeerList peer_list(const DynamicConfig& config, const std::string& file) {
    identity::PeerList list;
    for (const Peer& peer : config.peers) {
        list.peers.push_back(
            {.id = peer.name,
             .name = peer.name,
             .fingerprints = peer.keys,
             .grants = grants(peer.scopes, peer.scope_lines, file),
             .roles = peer.roles,
             .resources = identity::parse_resources(peer.resources).value_or(identity::Resources()),
             .enabled = peer.enabled,
             .expires = peer.expires,
             .renew = peer.renew,
             .address = peer.address ? peer.address->to_string() : "",
             .origin = {.file = file, .line = peer.line}});
    }
    for (const Role& role : config.roles) {
        list.roles.push_back(
            {.name = role.name, .grants = grants(role.scopes, role.scope_lines, file)});
    }
    for (const Assertion& assertion : config.assertions) {
        if (auto wanted = identity::Scope::parse_exact(assertion.wanted)) {
            list.assertions.push_back({.peer = assertion.peer,
                                       .wanted = *std::move(wanted),
                                       .allow = assertion.allow,
                                       .origin = {.file = file, .line = assertion.line}});
        }
    }
    return list;
}

std::vector<identity::Grant> authorized_grants(const DynamicConfig& config,
                                               const std::string& file) {
    return grants(config.authorized_keys.scopes, config.authorized_keys.scope_lines, file);
}

Parsed parse(std::string_view text, const ParseOptions& options) {
    Parsed parsed;
    parsed.config.fixed.key_file = options.base / parsed.config.fixed.key_file;
    Reading in(options);
    if (const auto tree = parse_toml(text)) {
        add_programs(in, *tree);
        read_tree(in, *tree, "", parsed.config);
        check_roles(in, parsed.config.dynamic);
    } else {
        const TomlFailure& failure = tree.error();
        in.refuse_text(failure.line, failure.column, failure.reason);
    }
    if (parsed.config.dynamic.listeners.empty()) {
        parsed.config.dynamic.listeners.push_back(default_listener());
    }
    parsed.problems = std::move(in.problems());
    std::ranges::sort(parsed.problems, {}, [](const Problem& problem) {
        return std::tie(problem.line, problem.column, problem.key);
    });
    return parsed;
}

error as_error(const std::vector<Problem>& problems) {
    std::string detail = problems.empty() ? std::string() : problems.front().text();
    if (problems.size() > 1) {
        detail += fmt::format(" (and {} more: alknet config check)", problems.size() - 1);
    }
    return error(causes::kConfigInvalid, std::move(detail));
}

std::optional<NodeId> Peer::node_id() const {
    for (const std::string& key : keys) {
        if (const auto id = NodeId::parse(key)) {
            return *id;
        }
    }
    return std::nullopt;
}

}  // namespace alknet::config
