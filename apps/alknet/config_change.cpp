#include "config_change.hpp"

#include <alknet/identity/policy.hpp>
#include <alknet/tls/context.hpp>
#include <utility>

#include "peers.hpp"

namespace alknet::app {

namespace {

struct Version {
    std::string text;
    config::Config config;
    std::shared_ptr<const identity::PeerDirectory> peers;
};

result<Version> read_version(const config::Home& home, std::string text, const std::string& file,
                             const identity::PeerList& stored) {
    config::Parsed parsed = config::parse(text, {.file = file, .base = home.directory()});
    if (!parsed.problems.empty()) {
        return unexpected(config::as_error(parsed.problems));
    }
    ALKNET_TRY(config::Config config, home.parse_config(text));
    ALKNET_TRY(auto peers,
               peers_of({.file = file, .home = home.directory()}, config.dynamic, stored));
    return Version{.text = std::move(text), .config = std::move(config), .peers = std::move(peers)};
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

result<Proposal> propose(const config::Home& home, const ProposalOptions& options) {
    ALKNET_TRY(const identity::PeerList stored, stored_peers(home));
    ALKNET_TRY(const Version after, read_version(home, options.text, options.file, stored));
    ALKNET_CHECK(identity::check_assertions(*after.peers));
    ALKNET_CHECK(check_usable(home, after.config));
    Proposal proposal;
    proposal.text = options.text;
    ALKNET_TRY(proposal.expected, config::read_config_text(home.config_file()));
    ALKNET_TRY(const Version before, version_before(home, proposal.expected, stored));
    proposal.differences = config::differences(config::settings(before.config, before.text),
                                               config::settings(after.config, after.text));
    const config::Side from{.config = before.config, .peers = *before.peers};
    const config::Side to{.config = after.config, .peers = *after.peers};
    proposal.effects = config::plan(from, to);
    proposal.guard = identity::guard_admins(*before.peers, *after.peers,
                                            {.actor = options.actor, .now = options.now});
    return proposal;
}

result<void> apply(const config::Home& home, const Proposal& proposal,
                   const ApplyOptions& options) {
    if (!options.force) {
        ALKNET_CHECK(proposal.guard);
    }
    return config::replace_config(
        home, proposal.text,
        {.expected = proposal.expected, .now = options.now, .confirm = options.confirm});
}

}  // namespace alknet::app
