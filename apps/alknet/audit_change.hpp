// What a command changes is written down before it happens.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/core/audit.hpp>
#include <alknet/identity/peers.hpp>
#include <string>
#include <vector>

namespace alknet::app {

/// Puts the entry, with the user who runs this if it names nobody else, into the audit log of the
/// home. `revision` is of the configuration that the change begins from. Where it cannot be
/// written, and [audit] required is not set, a warning is printed. Errors: with it, those of
/// AuditFile::append.
result<void> audit_change(const config::Home& home, const config::Config& config, AuditEntry entry,
                          const std::string& revision);

/// What one piece of work writes down of what it changes: as the last thing before the change
/// happens, when all that can well fail has been done, so that there is no change without a record,
/// and a record of something else only where the disk failed in between. Then another says so.
class ChangeRecords {
public:
    explicit ChangeRecords(config::Home home) : home_(std::move(home)) {}

    /// To be written by `write_kept`.
    void keep(const config::Config& config, AuditEntry entry, const std::string& revision);
    /// Errors: those of audit_change.
    result<void> write_kept();
    /// At once. Errors: likewise.
    result<void> write(const config::Config& config, AuditEntry entry, const std::string& revision);
    /// What was written happened, whatever fails afterwards.
    void settle() noexcept { written_.clear(); }
    /// What was written did not happen.
    void failed(const error& why);

private:
    struct Record {
        config::Config config;  // whose rules the log has
        AuditEntry entry;
        std::string revision;
    };
    result<void> write(Record record);

    config::Home home_;
    std::vector<Record> kept_;
    std::vector<Record> written_;
};

/// The revision of alknet.toml as it stands there, with these peers and tokens. Errors: those of
/// reading it.
[[nodiscard]] result<std::string> revision_now(const config::Home& home,
                                               const identity::PeerList& stored);

}  // namespace alknet::app
