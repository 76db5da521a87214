// Changing the configuration of a home, for whoever asks for it: what is checked, what it would do,
// and how it is written. The files are config/change.hpp's.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/change.hpp>
#include <alknet/config/home.hpp>
#include <alknet/config/plan.hpp>
#include <alknet/config/settings.hpp>
#include <optional>
#include <string>
#include <vector>

namespace alknet::app {

/// What a file says may be well written and still not work: key, secrets and certificates must be
/// there. Errors: kHomeInvalid, kCertificateInvalid, kIo.
result<void> check_usable(const config::Home& home, const config::Config& config);

struct ProposalOptions {
    std::string text;   // of the new configuration
    std::string file;   // what problems call it
    std::string actor;  // the id of the peer that asks; empty: the machine's owner
    WallTime now;
};

/// A configuration that a node would accept, and what it would mean.
struct Proposal {
    std::string text;
    std::string expected;  // what alknet.toml says now
    /// From what was accepted last, or, where that cannot be read, from the defaults.
    std::vector<config::Difference> differences;
    std::vector<config::Effect> effects;
    /// kLastAdmin: only somebody who insists may apply it.
    result<void> guard;
};

/// Changes nothing. Errors: kConfigInvalid, kAssertionFailed, those of check_usable and of
/// state.db.
[[nodiscard]] result<Proposal> propose(const config::Home& home, const ProposalOptions& options);

struct ApplyOptions {
    std::optional<Duration> confirm;
    bool force = false;
    WallTime now;
};
/// Errors: the proposal's guard unless forced; those of config::replace_config.
result<void> apply(const config::Home& home, const Proposal& proposal, const ApplyOptions& options);

}  // namespace alknet::app
