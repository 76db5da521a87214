// The files of the audit log in a home (docs/audit.md): written by a node and by commands, one
// after the other. Everything here blocks.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/identity/audit_record.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alknet::identity {

inline constexpr std::string_view kAuditFile = "audit.log";
inline constexpr std::string_view kAuditHeadFile = "audit.head";

struct AuditLimits {
    std::uint64_t file_bytes_max = 8 << 20;  // then another one is begun
    std::size_t files_max = 8;               // the oldest go

    bool operator==(const AuditLimits&) const = default;
};

/// A record that has no place in the chain yet.
struct AuditDraft {
    WallTime time;
    std::string event;
    std::vector<std::pair<std::string, std::string>> fields;
};

class AuditFile final {
public:
    AuditFile(std::filesystem::path home, AuditLimits limits)
        : home_(std::move(home)), limits_(limits) {}

    /// Puts the drafts at the end, in order, and syncs them. Takes up what a killed writer left:
    /// part of a line is cut off, and where records are missing a record says so. `written` is
    /// how many of them are there, also after an error. Errors: kDiskFull, kDiskReadOnly, kIo;
    /// kHomeInvalid for a file that is somebody else's.
    result<void> append(std::span<const AuditDraft> drafts, std::size_t& written);

    void set_limits(AuditLimits limits) noexcept { limits_ = limits; }

private:
    struct Open;
    result<void> write_some(Open& open, std::span<const AuditDraft>& drafts);
    result<void> rotate(Open& open);
    result<void> recover(Open& open);

    std::filesystem::path home_;
    AuditLimits limits_;
};

/// The older files of the log, the oldest first, and then its present one if it is there. Each
/// older one has the number of its last record in its name: `audit-SEQ.log`. Errors: kIo.
[[nodiscard]] result<std::vector<std::filesystem::path>> audit_files(
    const std::filesystem::path& home);

/// The number of the last record of an older file; nullopt for other files.
[[nodiscard]] std::optional<std::uint64_t> audit_file_last(const std::filesystem::path& file);

/// `2026-01-31T12:00:00.000Z`
[[nodiscard]] std::string audit_time(WallTime time);

}  // namespace alknet::identity
