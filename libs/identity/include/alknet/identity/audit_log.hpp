// The audit log of a running node: an AuditSink whose records a thread writes in batches.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/core/audit.hpp>
#include <alknet/identity/audit_file.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

namespace alknet::identity {

/// Records that wait for the disk. More are counted, and a record says how many (`audit.lost`).
inline constexpr std::size_t kAuditQueueMax = 4096;

/// What a configuration says of it.
struct AuditRules {
    bool enabled = true;
    bool required = false;  // nothing is allowed that cannot be recorded
    AuditLimits files{};

    bool operator==(const AuditRules&) const = default;
};

struct AuditLogOptions {
    std::filesystem::path home;
    AuditRules rules{};
    Log log{};
    std::shared_ptr<const Clock> clock{};  // null: the system's
    /// Between the first record of a batch and its being written: one fsync for all of them.
    Duration gather = std::chrono::milliseconds(100);
    /// Between two attempts to write where writing fails.
    Duration retry = std::chrono::seconds(2);
};

class AuditLog : public AuditSink {
public:
    /// Errors: kIo when no thread can be started. That nothing can be written is no error here:
    /// the log says so, and `ready` does where that counts.
    static result<std::shared_ptr<AuditLog>> start(AuditLogOptions options);

    /// Of the configuration that is in force from now on (config_revision); in each record.
    virtual void set_revision(std::string revision) = 0;
    virtual void set_rules(const AuditRules& rules) = 0;
    /// Waits, at most ten seconds, until what was recorded before is on the disk, or could not be
    /// written. Errors: why it could not; kTimeout.
    virtual result<void> flush() = 0;
};

/// An entry as it is written. `revision` may be empty.
[[nodiscard]] AuditDraft audit_draft(const AuditEntry& entry, WallTime now,
                                     const std::string& revision);

}  // namespace alknet::identity
