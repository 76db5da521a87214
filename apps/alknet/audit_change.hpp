// What a command changes is written down before it happens.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/core/audit.hpp>

namespace alknet::app {

/// Puts the entry, with the user who runs this, into the audit log of the home. To be called where
/// an error still undoes the change: a record of a change that did not happen after all is better
/// than a change without one. Where it cannot be written, and [audit] required is not set, a
/// warning is printed. Errors: with it, those of AuditFile::append.
result<void> audit_change(const config::Home& home, const config::Config& config, AuditEntry entry);

}  // namespace alknet::app
