#include "config_change.hpp"

#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/config/units.hpp>
#include <alknet/identity/config_revision.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/tls/context.hpp>
#include <cerrno>
#include <utility>

#include "audit_change.hpp"
#include "peers.hpp"
#include "run_as.hpp"
#include "services.hpp"

namespace alknet::app {

namespace {

struct Version {
    std::string text;
    config::Config config;
    std::shared_ptr<const identity::PeerDirectory> peers;
};

result<Version> read_version(const config::Home& home, std::string text, const std::string& file,
                             const identity::PeerList& stored) {
    config::Parsed parsed =
        config::parse(text, {.file = file, .base = home.directory(), .services = home.services()});
    if (!parsed.problems.empty()) {
        return unexpected(config::as_error(parsed.problems));
    }
    ALKNET_TRY(config::Config config, home.parse_config(text));
    ALKNET_TRY(auto peers,
               peers_of({.file = file, .home = home.directory()}, config.dynamic, stored));
    return Version{.text = std::move(text), .config = std::move(config), .peers = std::move(peers)};
}

// Whether whoever may have it now could have it before.
bool no_less_open(const std::string& before, const std::string& after) {
    return before.empty() || before == after;
}

const std::string& required(const config::HttpSite& site, const config::HttpRoute& route) {
    return route.require.empty() ? site.require : route.require;
}

bool has_upstream(const std::vector<config::HttpSite>& sites, const config::HttpRoute& wanted,
                  const std::string& scope) {
    return std::ranges::any_of(sites, [&](const config::HttpSite& site) {
        return std::ranges::any_of(site.routes, [&](const config::HttpRoute& route) {
            return route.proxy == wanted.proxy && no_less_open(required(site, route), scope);
        });
    });
}

bool has_root(const std::vector<config::HttpSite>& sites, const config::HttpSite& wanted) {
    return std::ranges::any_of(sites, [&](const config::HttpSite& site) {
        return site.root == wanted.root && no_less_open(site.require, wanted.require);
    });
}

// Whoever names a root makes every file below it that the node can read public, and whoever names a
// server may have a socket in mind that only this machine's users get to. So does whoever asks for
// less than before.
bool serves_more(const config::DynamicConfig& before, const config::DynamicConfig& after) {
    return std::ranges::any_of(after.http_sites, [&](const config::HttpSite& site) {
        const bool files = !site.root.empty() && !has_root(before.http_sites, site);
        return files || std::ranges::any_of(site.routes, [&](const config::HttpRoute& route) {
                   return !has_upstream(before.http_sites, route, required(site, route));
               });
    });
}

bool runs_more(const config::SshRules& before, const config::SshRules& after) {
    return after.runs_programs() &&
           (after.run_as != before.run_as || after.run_as_self != before.run_as_self ||
            after.shell != before.shell);
}

// What was accepted last, if it can still be read; else what the file says; else nothing at all.
result<Version> version_before(const config::Home& home, const std::string& text,
                               const identity::PeerList& stored) {
    const std::string file = home.config_file().native();
    if (auto applied = config::applied_config(home)) {
        if (auto version = read_version(home, *std::move(applied), file, stored)) {
            return version;
        }
    }
    auto now = read_version(home, text, file, stored);
    return now ? std::move(now) : read_version(home, "", file, {});
}

// The scope that somebody needs to change the configuration from elsewhere.
constexpr std::string_view kChangedBy = "config:manage";

bool has(const std::vector<identity::Grant>& grants, const std::string& wanted) {
    const auto scope = identity::Scope::parse_exact(wanted);
    return wanted.empty() || (scope && std::ranges::any_of(grants, [&](const identity::Grant& one) {
                                  return identity::covers(one.scope, *scope);
                              }));
}

// What alknet/call asks for.
std::string call_scope(const Version& version) {
    const auto& alpns = version.config.dynamic.alpns;
    const auto rules = alpns.find(std::string(call::kCallAlpn));
    return rules == alpns.end() ? "" : rules->second.scope;
}

bool serves_calls(const Version& version) {
    return std::ranges::any_of(
        version.config.dynamic.listeners, [](const config::Listener& listener) {
            return listener.alpns.empty() ||
                   std::ranges::find(listener.alpns, call::kCallAlpn) != listener.alpns.end();
        });
}

// Whether some admin may connect to alknet/call.
bool admins_call(const Version& version, WallTime now) {
    const auto admins = identity::admins(*version.peers, now);
    return std::ranges::any_of(admins, [&](const std::string& name) {
        const identity::PeerRecord* peer = version.peers->find_name(name);
        return peer != nullptr && has(peer->grants, call_scope(version));
    });
}

constexpr std::string_view kStandardInput = "-";

result<std::string> read_standard_input() {
    std::string text(config::kFileBytesMax + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t more = ::read(STDIN_FILENO, text.data() + size, text.size() - size);
        if (more < 0 && errno != EINTR) {
            return os_fail("read", errno, "standard input");
        }
        if (more == 0) {
            break;
        }
        size += more < 0 ? 0 : static_cast<std::size_t>(more);
    }
    text.resize(size);
    return size <= config::kFileBytesMax
               ? result<std::string>(std::move(text))
               : fail(causes::kConfigInvalid, "standard input has more than " +
                                                  std::to_string(config::kFileBytesMax) +
                                                  " octets");
}

// As guard_admins, of the way by which a node is ruled from elsewhere.
result<void> guard_calls(const DeskRequest& request, const Version& before, const Version& after) {
    const std::string scope = call_scope(after);
    const std::string ask = std::string(call::kCallAlpn) + " would ask for " + scope;
    if (admins_call(before, request.now) && !admins_call(after, request.now)) {
        return fail(causes::kLastAdmin, ask + ", which no admin has");
    }
    if (request.caller.local()) {
        return {};
    }
    const identity::PeerRecord* actor = after.peers->find(request.caller.peer);
    if (actor != nullptr && !has(actor->grants, scope)) {
        return fail(causes::kOwnAccess, ask + ", which you lack");
    }
    if (serves_calls(before) && !serves_calls(after)) {
        return fail(causes::kOwnAccess, "no listener would serve " + std::string(call::kCallAlpn));
    }
    return {};
}

}  // namespace

result<void> check_files(const DeskRequest& request, const identity::PeerList& stored) {
    ALKNET_TRY(std::string text, config::read_config_text(request.home.config_file()));
    ALKNET_TRY(const Version now, read_version(request.home, std::move(text),
                                               request.home.config_file().native(), stored));
    ALKNET_CHECK(identity::check_assertions(*now.peers));
    return check_usable(request.home, now.config);
}

result<void> check_nothing_waits(const DeskRequest& request) {
    ALKNET_TRY(const auto waiting, config::pending_change(request.home));
    return waiting && !waiting->due(request.now)
               ? fail(causes::kConfigPending, "until " + time_text(waiting->deadline))
               : result<void>();
}

result<void> check_usable(const config::Home& home, const config::Config& config) {
    ALKNET_TRY(const auto key, home.load_key(config.fixed));
    ALKNET_CHECK(home.load_secrets());
    ALKNET_CHECK(tls::TlsContext::create({.key = key,
                                          .certificates = config.dynamic.certificates,
                                          .authorities = {},
                                          .ticket_keys = nullptr}));
    ALKNET_CHECK(find_run_as(config.dynamic.ssh));
    return {};
}

result<std::string> read_other_config(const std::filesystem::path& file) {
    if (file == kStandardInput) {
        return read_standard_input();
    }
    auto text = config::read_config_text(file);
    if (!text && text.error().is(causes::kConfigMissing)) {
        return fail(causes::kFileMissing, file.native());
    }
    return text;
}

result<Checked> check_config(const CheckOptions& options, const identity::PeerList& stored) {
    const config::Parsed parsed = config::parse(
        options.text, {.file = options.file, .base = options.base, .services = services()});
    Checked checked{.problems = parsed.problems, .refused = {}};
    if (!checked.problems.empty()) {
        return checked;
    }
    if (options.home != nullptr && options.in_place) {
        ALKNET_TRY(const auto config, options.home->parse_config(options.text));
        ALKNET_CHECK(check_usable(*options.home, config));
    }
    const ConfigPlace place{
        .file = options.file,
        .home = options.home == nullptr ? options.base : options.home->directory()};
    ALKNET_TRY(const auto peers, peers_of(place, parsed.config.dynamic, stored));
    for (const identity::Broken& broken : identity::broken_assertions(*peers)) {
        checked.problems.push_back({.file = options.file,
                                    .line = broken.assertion.origin.line,
                                    .column = 1,
                                    .key = "access.assert",
                                    .reason = broken.text()});
    }
    checked.refused = refused_lines(place, parsed.config.dynamic, stored);
    return checked;
}

result<Proposal> propose(const DeskRequest& request, const identity::PeerList& stored,
                         const ProposalOptions& options) {
    const config::Home& home = request.home;
    ALKNET_TRY(const Version after, read_version(home, options.text, options.file, stored));
    ALKNET_CHECK(identity::check_assertions(*after.peers));
    ALKNET_CHECK(check_usable(home, after.config));
    Proposal proposal;
    proposal.text = options.text;
    ALKNET_TRY(proposal.expected, config::read_config_text(home.config_file()));
    ALKNET_TRY(const Version before, version_before(home, proposal.expected, stored));
    proposal.before = before.config;
    proposal.differences = config::differences(config::settings(before.config, before.text),
                                               config::settings(after.config, after.text));
    const config::Side from{.config = before.config, .peers = *before.peers};
    const config::Side to{.config = after.config, .peers = *after.peers};
    proposal.effects = config::plan(from, to);
    proposal.guard = identity::guard_admins(
        *before.peers, *after.peers,
        {.actor = request.caller.peer, .now = request.now, .by = kChangedBy});
    if (proposal.guard) {
        proposal.guard = guard_calls(request, before, after);
    }
    proposal.needs_restart = before.config.fixed != after.config.fixed;
    proposal.serves_more = serves_more(before.config.dynamic, after.config.dynamic);
    proposal.runs_more = runs_more(before.config.dynamic.ssh, after.config.dynamic.ssh);
    proposal.revision = identity::config_revision(before.text, stored);
    proposal.revision_then = identity::config_revision(after.text, stored);
    return proposal;
}

result<void> apply(const DeskRequest& request, const Proposal& proposal,
                   const ApplyOptions& options) {
    if (!request.caller.local() && proposal.needs_restart) {
        return fail(causes::kForbidden,
                    "what is read at start only is changed at the machine itself");
    }
    if (!request.caller.local() && proposal.serves_more) {
        return fail(causes::kForbidden,
                    "http.site: directories and servers are named at the machine itself");
    }
    if (!request.caller.local() && proposal.runs_more) {
        return fail(causes::kForbidden, "ssh: whom commands run as is said at the machine itself");
    }
    if (!options.force) {
        ALKNET_CHECK(proposal.guard);
    }
    ALKNET_CHECK(check_nothing_waits(request));
    AuditEntry entry{.event = "config.applied"};
    entry.more = {{"then", proposal.revision_then},
                  {"confirm", options.confirm ? config::duration_text(*options.confirm) : ""},
                  request.caller.named()};
    const auto record = [&] {
        return request.records->write(proposal.before, std::move(entry), proposal.revision);
    };
    return config::replace_config(request.home, proposal.text,
                                  {.expected = proposal.expected,
                                   .now = request.now,
                                   .confirm = options.confirm,
                                   .before = record});
}

}  // namespace alknet::app
