// What a command changes is written down before it happens.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/core/audit.hpp>
#include <alknet/identity/peers.hpp>
#include <string>

namespace alknet::app {

/// Puts the entry, with the user who runs this if it names nobody else, into the audit log of the
/// home. `revision` is of the configuration that the change begins from. To be called where
/// an error still undoes the change: a record of a change that did not happen after all is better
/// than a change without one. Where it cannot be written, and [audit] required is not set, a
/// warning is printed. Errors: with it, those of AuditFile::append.
result<void> audit_change(const config::Home& home, const config::Config& config, AuditEntry entry,
                          const std::string& revision);

/// The revision of alknet.toml as it stands there, with these peers and tokens. Errors: those of
/// reading it.
[[nodiscard]] result<std::string> revision_now(const config::Home& home,
                                               const identity::PeerList& stored);

}  // namespace alknet::app
