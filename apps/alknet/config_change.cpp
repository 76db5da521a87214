#include "config_change.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/config/units.hpp>
#include <alknet/identity/config_revision.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/tls/context.hpp>
#include <utility>

#include "audit_change.hpp"
#include "peers.hpp"
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

// Whoever names a root makes every file below it that the node can read public.
bool serves_more(const config::DynamicConfig& before, const config::DynamicConfig& after) {
    return std::ranges::any_of(after.http_sites, [&](const config::HttpSite& site) {
        return !site.root.empty() &&
               std::ranges::find(before.http_sites, site.root, &config::HttpSite::root) ==
                   before.http_sites.end();
    });
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

}  // namespace

result<void> check_usable(const config::Home& home, const config::Config& config) {
    ALKNET_TRY(const auto key, home.load_key(config.fixed));
    ALKNET_CHECK(home.load_secrets());
    ALKNET_CHECK(tls::TlsContext::create({.key = key,
                                          .certificates = config.dynamic.certificates,
                                          .authorities = {},
                                          .ticket_keys = nullptr}));
    return {};
}

result<std::string> read_other_config(const std::filesystem::path& file) {
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
    proposal.guard = identity::guard_admins(*before.peers, *after.peers,
                                            {.actor = request.caller.peer, .now = request.now});
    proposal.needs_restart = before.config.fixed != after.config.fixed;
    proposal.serves_more = serves_more(before.config.dynamic, after.config.dynamic);
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
                    "http.site: directories to serve are named at the machine itself");
    }
    if (!options.force) {
        ALKNET_CHECK(proposal.guard);
    }
    // replace_config says so too, and then what did not happen would be in the audit log.
    ALKNET_TRY(const auto waiting, config::pending_change(request.home));
    if (waiting && !waiting->due(request.now)) {
        return fail(causes::kConfigPending);
    }
    AuditEntry entry{.event = "config.applied"};
    entry.more = {{"then", proposal.revision_then},
                  {"confirm", options.confirm ? config::duration_text(*options.confirm) : ""},
                  request.caller.named()};
    ALKNET_CHECK(audit_change(request.home, proposal.before, std::move(entry), proposal.revision));
    return config::replace_config(
        request.home, proposal.text,
        {.expected = proposal.expected, .now = request.now, .confirm = options.confirm});
}

}  // namespace alknet::app
