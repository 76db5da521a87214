// What `alknet peer` does. Everything is checked together with alknet.toml and written in one
// transaction, so that a running node never reads a state that it must refuse.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/identity/state.hpp>
#include <array>
#include <utility>

#include "cli.hpp"
#include "desk.hpp"
#include "joining.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::PeerList;
using identity::PeerRecord;
using Action = PeerOptions::Action;

constexpr std::string_view kRead = "peers:read";
constexpr std::string_view kManage = "peers:manage";
constexpr std::string_view kTerm = "30d";  // where none is said

struct Work {
    const Desk& desk;
    PeerOptions options;
};

// What each of them has.
template <class Input>
PeerOptions common_options(Action action, const Input& input) {
    PeerOptions options;
    options.action = action;
    options.name = input.name;
    options.force = input.force;
    return options;
}
PeerOptions options_of(Action action, const PeerInput& input) {
    return common_options(action, input);
}
PeerOptions options_of(Action action, const PeerAddInput& input) {
    PeerOptions options = common_options(action, input);
    options.keys = texts_of(input.keys);
    options.scopes = texts_of(input.scopes);
    options.roles = texts_of(input.roles);
    options.expires = or_empty(input.expires);
    options.address = or_empty(input.address);
    options.resources = texts_of(input.resources);
    options.renew = or_empty(input.renew);
    return options;
}
PeerOptions options_of(Action action, const PeerRenewInput& input) {
    PeerOptions options = common_options(action, input);
    options.expires = or_empty(input.expires);
    options.renew = or_empty(input.renew);
    return options;
}
PeerOptions options_of(Action action, const PeerRenameInput& input) {
    PeerOptions options = common_options(action, input);
    options.new_name = input.new_name;
    return options;
}
PeerOptions options_of(Action action, const PeerScopesInput& input) {
    PeerOptions options = common_options(action, input);
    options.set = texts_of(input.set);
    options.added = texts_of(input.add);
    options.removed = texts_of(input.remove);
    options.none = input.none;
    options.resources = texts_of(input.resources);
    options.added_roles = texts_of(input.add_roles);
    options.removed_roles = texts_of(input.remove_roles);
    return options;
}

std::string in_file(const identity::Origin& origin) {
    return "it stands in " + origin.text() + "; change it there";
}

// The stored peer of that name.
result<PeerRecord*> find_stored(const Work& work, PeerList& list) {
    const std::string& name = work.options.name;
    const auto found = std::ranges::find(list.peers, name, &PeerRecord::name);
    if (found != list.peers.end()) {
        return &*found;
    }
    const PeerList written =
        written_peers(place_of(work.desk.home), work.desk.config.dynamic, list).list;
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

result<PeerRecord> new_peer(const Work& work) {
    const PeerOptions& options = work.options;
    ALKNET_CHECK(identity::check_name(options.name));
    PeerRecord peer;
    peer.id = identity::make_peer_id();
    peer.name = options.name;
    for (const std::string& key : options.keys) {
        ALKNET_TRY(std::string fingerprint, identity::parse_fingerprint(key));
        peer.fingerprints.push_back(identity::with_principal(std::move(fingerprint), peer.name));
    }
    ALKNET_TRY(peer.grants, parse_scopes(options.scopes));
    peer.roles = options.roles;
    ALKNET_TRY(peer.resources, identity::parse_resources(options.resources));
    if (!options.expires.empty() && options.expires != kNever) {
        ALKNET_TRY(peer.expires, parse_future_expiry(options.expires, work.desk.now));
    }
    if (!options.renew.empty()) {
        ALKNET_TRY(peer.renew, parse_renewal(options.renew));
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

// Whether there is a role of that name is seen when all peers are looked at.
result<void> change_roles(PeerRecord& peer, const PeerOptions& options) {
    for (const std::string& role : options.removed_roles) {
        if (std::erase(peer.roles, role) == 0) {
            return fail(causes::kUsage, peer.name + " does not have the role " + printable(role));
        }
    }
    for (const std::string& role : options.added_roles) {
        if (std::ranges::find(peer.roles, role) == peer.roles.end()) {
            peer.roles.push_back(role);
        }
    }
    return {};
}

// --resources; --set or --none, then --remove, then --add; and roles likewise.
result<void> change_scopes(PeerRecord& peer, const PeerOptions& options) {
    ALKNET_TRY(const auto set, parse_scopes(options.set));
    ALKNET_TRY(const auto removed, parse_scopes(options.removed));
    ALKNET_TRY(const auto added, parse_scopes(options.added));
    ALKNET_TRY(auto resources, identity::parse_resources(options.resources));
    const bool grants = !(set.empty() && removed.empty() && added.empty());
    const bool roles = !(options.removed_roles.empty() && options.added_roles.empty());
    if (!grants && !roles && resources.empty() && !options.none) {
        return fail(causes::kUsage,
                    "say what to change: --set, --remove, --add, --none, --add-role, "
                    "--remove-role or --resources");
    }
    if (options.none || !resources.empty()) {
        peer.resources = std::move(resources);
    }
    if (options.none && !(set.empty() && removed.empty() && options.removed_roles.empty())) {
        return fail(causes::kUsage, "--none leaves nothing to set or remove");
    }
    if (options.none || !set.empty()) {
        peer.grants = set;
    }
    if (options.none) {
        peer.roles.clear();
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
    return change_roles(peer, options);
}

result<void> change(PeerRecord& peer, const PeerOptions& options, WallTime now) {
    switch (options.action) {
        case Action::renew: {
            if (!options.renew.empty()) {
                ALKNET_TRY(peer.renew, parse_renewal(options.renew));
                if (options.expires.empty()) {
                    return {};
                }
            }
            if (options.expires == kNever) {
                peer.expires.reset();
                return {};
            }
            const std::string_view end = options.expires.empty() ? kTerm : options.expires;
            ALKNET_TRY(peer.expires, parse_future_expiry(end, now));
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

std::vector<std::string> scope_texts(const PeerRecord& peer) {
    std::vector<std::string> texts;
    for (const identity::Grant& grant : peer.grants) {
        texts.push_back(grant.scope.text());
    }
    return texts;
}

std::string_view event_of(Action action) {
    switch (action) {
        case Action::add:
            return "peer.added";
        case Action::remove:
            return "peer.removed";
        default:
            return "peer.changed";
    }
}

// Which peer, and what it may do from now on.
void audit(const Work& work, const PeerRecord& peer) {
    AuditEntry entry{.event = event_of(work.options.action)};
    entry.peer = peer.id;
    entry.more = {
        {"name", peer.name},
        {"keys", fmt::format("{}", fmt::join(peer.fingerprints, ","))},
        {"scopes", fmt::format("{}", fmt::join(scope_texts(peer), ","))},
        {"roles", fmt::format("{}", fmt::join(peer.roles, ","))},
        {"resources", fmt::format("{}", fmt::join(identity::resource_texts(peer.resources), ","))},
        {"enabled", peer.enabled ? "true" : "false"},
        {"expires", peer.expires ? time_text(*peer.expires) : ""},
        {"renew", renewal_text(peer.renew)},
        work.desk.caller.named()};
    work.desk.audit(std::move(entry));
}

// What the action makes of the state; checked as a whole before anything is written.
result<PeerRecord> edit(const Work& work, store::Database& state) {
    ALKNET_TRY(PeerList list, identity::load_peers(state));
    ALKNET_TRY(const auto before, all_peers(work.desk.home, work.desk.config.dynamic, list));
    const auto check = [&]() -> result<void> {
        ALKNET_TRY(const auto after,
                   accepted_peers(work.desk.home, work.desk.config.dynamic, list));
        ALKNET_CHECK(check_with_undone(work.desk.home, list));
        return work.options.force
                   ? result<void>()
                   : identity::guard_admins(
                         *before, *after,
                         {.actor = work.desk.caller.peer, .now = work.desk.now, .by = kManage});
    };
    if (work.options.action == Action::add) {
        ALKNET_TRY(PeerRecord added, new_peer(work));
        list.peers.push_back(added);
        ALKNET_CHECK(check());
        ALKNET_CHECK(identity::save_peer(state, added));
        audit(work, added);
        return added;
    }
    ALKNET_TRY(PeerRecord* const peer, find_stored(work, list));
    if (work.options.action == Action::remove) {
        PeerRecord removed = *peer;
        list.peers.erase(list.peers.begin() + (peer - list.peers.data()));
        ALKNET_CHECK(check());
        ALKNET_CHECK(identity::remove_peer(state, removed.id));
        audit(work, removed);
        return removed;
    }
    ALKNET_CHECK(change(*peer, work.options, work.desk.now));
    ALKNET_CHECK(check());
    ALKNET_CHECK(identity::save_peer(state, *peer));
    audit(work, *peer);
    return *peer;
}

PeerEntry entry_of(const PeerRecord& peer, WallTime now) {
    return {
        .name = peer.name,
        .id = peer.id,
        .standing = std::string(identity::to_string(identity::standing_of(peer, now))),
        .keys = {peer.fingerprints.begin(), peer.fingerprints.end()},
        .scopes = scope_texts(peer),
        .roles = {peer.roles.begin(), peer.roles.end()},
        .expires = peer.expires ? std::optional(time_text(*peer.expires)) : std::nullopt,
        .address = peer.address.empty() ? std::nullopt : std::optional(peer.address),
        .origin = peer.origin.text(),
        .resources = identity::resource_texts(peer.resources),
        .renew = peer.renew == Duration() ? std::nullopt : std::optional(renewal_text(peer.renew))};
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

result<PeerEntries> list(const Desk& desk, const PeerList& stored, const Nothing& /*input*/) {
    ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
    PeerEntries all;
    for (const PeerRecord& peer : peers->peers()) {
        all.peers.push_back(entry_of(peer, desk.now));
    }
    all.refused = refused_lines(place_of(desk.home), desk.config.dynamic, stored);
    return all;
}

template <Action action, class Input>
result<PeerChanged> change_one(const Desk& desk, store::Database& state, const Input& input) {
    const Work work{.desk = desk, .options = options_of(action, input)};
    ALKNET_TRY(const PeerRecord peer, edit(work, state));
    return PeerChanged{.done = std::string(done(action)), .peer = entry_of(peer, desk.now)};
}

constexpr std::array kAddErrors = {&causes::kPeerExists,      &causes::kKeyInvalid,
                                   &causes::kScopeInvalid,    &causes::kAddressInvalid,
                                   &causes::kAssertionFailed, &causes::kConfigInvalid,
                                   &causes::kConfigPending};
constexpr std::array kChangeErrors = {&causes::kUnknownPeer,     &causes::kPeerExists,
                                      &causes::kScopeInvalid,    &causes::kLastAdmin,
                                      &causes::kAssertionFailed, &causes::kConfigInvalid,
                                      &causes::kOwnAccess,       &causes::kConfigPending};

template <Action action, class Input>
constexpr DeskOperation operation(std::string_view name, std::string_view about) {
    std::span<const Cause* const> errors = kChangeErrors;
    if (action == Action::add) {
        errors = kAddErrors;
    }
    return changing<change_one<action, Input>>(
        {.name = name, .scope = kManage, .about = about, .errors = errors});
}

constexpr std::array kOperations = {
    looking<list>(
        {.name = "peers/list", .scope = kRead, .about = "everybody who is known, and from where"}),
    operation<Action::add, PeerAddInput>("peers/add", "add somebody"),
    operation<Action::remove, PeerInput>("peers/remove", "forget somebody"),
    operation<Action::disable, PeerInput>("peers/disable", "treat somebody as a stranger"),
    operation<Action::enable, PeerInput>("peers/enable", "undo that"),
    operation<Action::renew, PeerRenewInput>("peers/renew", "give somebody a new term"),
    operation<Action::rename, PeerRenameInput>("peers/name", "give somebody another name"),
    operation<Action::scopes, PeerScopesInput>("peers/scopes", "change what somebody may do"),
};

}  // namespace

std::span<const DeskOperation> peer_operations() noexcept {
    return kOperations;
}

}  // namespace alknet::app
