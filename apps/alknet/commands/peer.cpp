// alknet peer: who is known, and what they may do. Everything is checked together with alknet.toml
// and written in one transaction, so that a running node never reads a state that it must refuse.
#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/identity/state.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::PeerList;
using identity::PeerRecord;
using Action = PeerOptions::Action;

struct Desk {
    config::Home home;
    config::Config config;
    const PeerOptions& options;
    WallTime now;
};

std::string in_file(const identity::Origin& origin) {
    return "it stands in " + origin.text() + "; change it there";
}

// The stored peer of that name.
result<PeerRecord*> find_stored(const Desk& desk, PeerList& list) {
    const std::string& name = desk.options.name;
    const auto found = std::ranges::find(list.peers, name, &PeerRecord::name);
    if (found != list.peers.end()) {
        return &*found;
    }
    const PeerList written =
        config::peer_list(desk.config.dynamic, desk.home.config_file().native());
    const auto fixed = std::ranges::find(written.peers, name, &PeerRecord::name);
    return fail(causes::kUnknownPeer,
                fixed == written.peers.end() ? name : name + ": " + in_file(fixed->origin));
}

result<std::vector<identity::Grant>> parse_scopes(const std::vector<std::string>& texts) {
    std::vector<identity::Grant> grants;
    for (const std::string& text : texts) {
        ALKNET_TRY(auto scope, identity::Scope::parse(text));
        grants.push_back({.scope = std::move(scope), .origin = {}, .role = {}});
    }
    return grants;
}

result<PeerRecord> new_peer(const Desk& desk) {
    const PeerOptions& options = desk.options;
    ALKNET_CHECK(identity::check_name(options.name));
    PeerRecord peer;
    peer.id = identity::make_peer_id();
    peer.name = options.name;
    for (const std::string& key : options.keys) {
        ALKNET_TRY(std::string fingerprint, identity::parse_fingerprint(key));
        peer.fingerprints.push_back(std::move(fingerprint));
    }
    ALKNET_TRY(peer.grants, parse_scopes(options.scopes));
    peer.roles = options.roles;
    if (!options.expires.empty()) {
        ALKNET_TRY(peer.expires, parse_expiry(options.expires, desk.now));
    }
    if (!options.address.empty()) {
        ALKNET_TRY(const NodeAddress address, NodeAddress::parse(options.address));
        if (address.host.empty()) {
            return fail(causes::kAddressInvalid, options.address);
        }
        peer.address = address.to_string();
    }
    peer.origin = {.file = std::string(identity::kStateFile) + ": peer " + peer.name, .line = 0};
    return peer;
}

bool has(const std::vector<identity::Grant>& grants, const identity::Grant& one) {
    return std::ranges::find(grants, one.scope, &identity::Grant::scope) != grants.end();
}

// --set, then --remove, then --add.
result<void> change_scopes(PeerRecord& peer, const PeerOptions& options) {
    ALKNET_TRY(const auto set, parse_scopes(options.set));
    ALKNET_TRY(const auto removed, parse_scopes(options.removed));
    ALKNET_TRY(const auto added, parse_scopes(options.added));
    if (!options.set.empty()) {
        peer.grants = set;
    }
    for (const identity::Grant& one : removed) {
        if (!has(peer.grants, one)) {
            return fail(causes::kUsage, peer.name + " does not have " + one.scope.text());
        }
    }
    std::erase_if(peer.grants, [&](const identity::Grant& one) { return has(removed, one); });
    for (const identity::Grant& one : added) {
        if (!has(peer.grants, one)) {
            peer.grants.push_back(one);
        }
    }
    return {};
}

result<void> change(PeerRecord& peer, const PeerOptions& options, WallTime now) {
    switch (options.action) {
        case Action::renew: {
            ALKNET_TRY(peer.expires, parse_expiry(options.expires, now));
            return {};
        }
        case Action::disable:
            peer.enabled = false;
            return {};
        case Action::enable:
            peer.enabled = true;
            return {};
        case Action::rename:
            ALKNET_CHECK(identity::check_name(options.new_name));
            peer.name = options.new_name;
            return {};
        default:
            return change_scopes(peer, options);
    }
}

// What the action makes of the state; checked as a whole before anything is written.
result<PeerRecord> edit(const Desk& desk, store::Database& state) {
    ALKNET_TRY(PeerList list, identity::load_peers(state));
    ALKNET_TRY(const auto before, all_peers(desk.home, desk.config.dynamic, list));
    const auto check = [&]() -> result<void> {
        ALKNET_TRY(const auto after, accepted_peers(desk.home, desk.config.dynamic, list));
        return desk.options.force
                   ? result<void>()
                   : identity::guard_admins(*before, *after, {.actor = {}, .now = desk.now});
    };
    if (desk.options.action == Action::add) {
        ALKNET_TRY(PeerRecord added, new_peer(desk));
        list.peers.push_back(added);
        ALKNET_CHECK(check());
        ALKNET_CHECK(identity::save_peer(state, added));
        return added;
    }
    ALKNET_TRY(PeerRecord* const peer, find_stored(desk, list));
    if (desk.options.action == Action::remove) {
        PeerRecord removed = *peer;
        list.peers.erase(list.peers.begin() + (peer - list.peers.data()));
        ALKNET_CHECK(check());
        ALKNET_CHECK(identity::remove_peer(state, removed.id));
        return removed;
    }
    ALKNET_CHECK(change(*peer, desk.options, desk.now));
    ALKNET_CHECK(check());
    ALKNET_CHECK(identity::save_peer(state, *peer));
    return *peer;
}

std::vector<std::string> scope_texts(const PeerRecord& peer) {
    std::vector<std::string> texts;
    for (const identity::Grant& grant : peer.grants) {
        texts.push_back(grant.scope.text());
    }
    return texts;
}

Json as_json(const PeerRecord& peer, WallTime now) {
    return Json::object({{"name", peer.name},
                         {"id", peer.id},
                         {"standing", identity::to_string(identity::standing_of(peer, now))},
                         {"keys", Json::list(peer.fingerprints)},
                         {"scopes", Json::list(scope_texts(peer))},
                         {"roles", Json::list(peer.roles)},
                         {"expires", peer.expires ? Json(time_text(*peer.expires)) : Json()},
                         {"address", peer.address.empty() ? Json() : Json(peer.address)},
                         {"origin", peer.origin.text()}});
}

std::string as_text(const PeerRecord& peer, WallTime now) {
    std::string text =
        fmt::format("{} ({})\n", peer.name, identity::to_string(identity::standing_of(peer, now)));
    for (const std::string& key : peer.fingerprints) {
        text += fmt::format("  key      {}\n", key);
    }
    for (const identity::Grant& grant : peer.grants) {
        text += fmt::format("  scope    {}{}\n", grant.scope.text(),
                            grant.role.empty() ? "" : "  (role " + grant.role + ")");
    }
    if (peer.expires) {
        text += fmt::format("  expires  {}\n", time_text(*peer.expires));
    }
    if (!peer.address.empty()) {
        text += fmt::format("  address  {}\n", peer.address);
    }
    return text + fmt::format("  from     {}\n", peer.origin.text());
}

result<ExitCode> list_peers(const CommandLine& line, const Desk& desk) {
    ALKNET_TRY(const PeerList stored, stored_peers(desk.home));
    ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
    if (line.json) {
        Json::Array list;
        for (const PeerRecord& peer : peers->peers()) {
            list.push_back(as_json(peer, desk.now));
        }
        ALKNET_CHECK(print_line(Json::object({{"peers", std::move(list)}}).text()));
        return ExitCode::ok;
    }
    if (peers->peers().empty()) {
        ALKNET_CHECK(print_line("nobody is known; add somebody: alknet peer add NAME --key KEY"));
    }
    for (const PeerRecord& peer : peers->peers()) {
        ALKNET_CHECK(print_text(as_text(peer, desk.now)));
    }
    return ExitCode::ok;
}

std::string_view done(Action action) {
    switch (action) {
        case Action::add:
            return "added";
        case Action::remove:
            return "removed";
        case Action::disable:
            return "disabled";
        case Action::enable:
            return "enabled";
        default:
            return "changed";
    }
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const PeerOptions& options) {
    ALKNET_TRY(auto home, open_home(line));
    ALKNET_TRY(auto config, home.load_config());
    const Desk desk{.home = std::move(home),
                    .config = std::move(config),
                    .options = options,
                    .now = SystemClock().wall_now()};
    if (options.action == Action::list) {
        return list_peers(line, desk);
    }
    ALKNET_TRY(const auto state, open_state(desk.home));
    ALKNET_TRY(const PeerRecord peer,
               state->transaction([&](store::Database& database) { return edit(desk, database); }));
    if (line.json) {
        ALKNET_CHECK(print_line(
            Json::object({{"done", done(options.action)}, {"peer", as_json(peer, desk.now)}})
                .text()));
    } else {
        ALKNET_CHECK(print_line(fmt::format("{} {}", done(options.action), peer.name)));
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
