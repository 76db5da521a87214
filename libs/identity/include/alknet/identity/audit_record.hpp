// One record of the audit log as a line of text (docs/audit.md). Sans-I/O.
#pragma once

#include <alknet/base/result.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alknet::identity {

/// Without its end.
inline constexpr std::size_t kAuditLineBytesMax = 64 << 10;
/// Those that stand in every record not counted. Writers leave further ones out.
inline constexpr std::size_t kAuditFieldsMax = 16;
/// Octets of a value, before it is escaped. Writers cut longer ones.
inline constexpr std::size_t kAuditValueBytesMax = 512;
inline constexpr std::size_t kAuditNameBytesMax = 32;

/// SHA-256 of a line, without its end.
using AuditDigest = std::array<std::byte, 32>;

struct AuditRecord {
    std::uint64_t seq = 0;
    AuditDigest prev{};  // of the line with seq - 1; zeros if there never was one
    std::string time;    // UTC, 2026-01-31T12:00:00.000Z
    std::string event;
    std::vector<std::pair<std::string, std::string>> fields;  // in this order

    bool operator==(const AuditRecord&) const = default;
    /// Empty: it is not there.
    [[nodiscard]] std::string_view field(std::string_view name) const noexcept;
};

/// One line of JSON in ASCII, without its end. Names are as `decode_audit_record` wants them.
/// Values may be any octets: what is not UTF-8 becomes U+FFFD, so that each record is one line
/// whatever it says.
[[nodiscard]] std::string encode_audit_record(const AuditRecord& record);

/// Accepts exactly what `encode_audit_record` writes. Errors: kAuditBroken.
[[nodiscard]] result<AuditRecord> decode_audit_record(std::string_view line);

[[nodiscard]] AuditDigest audit_digest(std::string_view line);
/// From 64 hex digits.
[[nodiscard]] std::optional<AuditDigest> parse_audit_digest(std::string_view hex);

/// What was last written, in a file of its own: tells a log whose end was cut off from one whose
/// writer was killed.
struct AuditHead {
    std::uint64_t seq = 0;  // 0: nothing
    AuditDigest digest{};   // of that line; zeros: of none

    bool operator==(const AuditHead&) const = default;
};

/// `alknet-audit-head 1 SEQ DIGEST` with 20 and 64 digits, and a line's end: always of one size.
[[nodiscard]] std::string encode_audit_head(const AuditHead& head);
/// Errors: kAuditBroken.
[[nodiscard]] result<AuditHead> decode_audit_head(std::string_view text);

}  // namespace alknet::identity
