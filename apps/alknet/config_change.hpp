// Changing the configuration of a home, for whoever asks for it: what is checked, what it would do,
// and how it is written. The files are config/change.hpp's.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/change.hpp>
#include <alknet/config/home.hpp>
#include <alknet/config/plan.hpp>
#include <alknet/config/settings.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "desk.hpp"

namespace alknet::app {

/// What a file says may be well written and still not work: key, secrets and certificates must be
/// there. Errors: kHomeInvalid, kCertificateInvalid, kIo.
result<void> check_usable(const config::Home& home, const config::Config& config);

/// A file that somebody names, or standard input for `-`. Errors: kFileMissing; kConfigInvalid for
/// more than kFileBytesMax; else those of config::read_config_text.
[[nodiscard]] result<std::string> read_other_config(const std::filesystem::path& file);

/// A text that somebody asks about.
struct CheckOptions {
    std::string text{};
    std::string file{};            // what problems call it
    std::filesystem::path base{};  // where its relative paths begin
    /// Where it would stand; null: nowhere yet, and then what its home has is not asked for.
    const config::Home* home = nullptr;
    bool in_place = false;  // it is what stands there
};
struct Checked {
    std::vector<config::Problem> problems;
    std::vector<std::string> refused;  // lines of authorized_keys, which are no problem of the file
};
/// Errors: those of check_usable, for what is in place; of reading peers.
[[nodiscard]] result<Checked> check_config(const CheckOptions& options,
                                           const identity::PeerList& stored);

/// As `config/check` gives it.
[[nodiscard]] ConfigChecked checked_output(const std::string& file, const Checked& checked);

struct ProposalOptions {
    std::string text;  // of the new configuration
    std::string file;  // what problems call it
};

/// A configuration that a node would accept, and what it would mean.
struct Proposal {
    std::string text;
    std::string expected;  // what alknet.toml says now
    /// What was accepted last, or, where that cannot be read, what stands there, or the defaults.
    config::Config before;
    std::vector<config::Difference> differences;
    std::vector<config::Effect> effects;
    /// kLastAdmin, kOwnAccess: only somebody who insists may apply it.
    result<void> guard;
    /// Whether it changes what is read at start only.
    bool needs_restart = false;
    /// Browsers would get to a directory or a server that they did not.
    bool serves_more = false;
    /// Commands over SSH would run as somebody else, or by another shell.
    bool runs_more = false;
    std::string revision;       // before
    std::string revision_then;  // once it is applied
};

/// Changes nothing. Errors: kConfigInvalid, kAssertionFailed, those of check_usable.
[[nodiscard]] result<Proposal> propose(const DeskRequest& request, const identity::PeerList& stored,
                                       const ProposalOptions& options);

/// Errors: kConfigPending, with until when, while a change waits to be confirmed.
result<void> check_nothing_waits(const DeskRequest& request);

/// The files as a node would take them. Errors: kConfigInvalid, kAssertionFailed, those of
/// check_usable.
result<void> check_files(const DeskRequest& request, const identity::PeerList& stored);

struct ApplyOptions {
    std::optional<Duration> confirm;
    bool force = false;
};
/// Writes it down in the audit log, and then in alknet.toml. Errors: the proposal's guard unless
/// forced; kForbidden for a caller that is not local and changes what is read at start only;
/// kConfigPending; those of audit_change and config::replace_config.
result<void> apply(const DeskRequest& request, const Proposal& proposal,
                   const ApplyOptions& options);

}  // namespace alknet::app
