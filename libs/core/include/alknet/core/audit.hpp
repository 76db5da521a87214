// AuditSink: where it is told what was decided about whom, and why. What keeps it is above
// (identity/audit_log.hpp).
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alknet {

enum class AuditLevel : std::uint8_t { info, alarm };

/// One decision, or one change of what decides. Never put secrets, tokens, tunnel destinations or
/// names that were looked up into it. Texts may come from an enemy.
struct AuditEntry {
    std::string_view event;  // of static lifetime, from docs/audit.md: "connection.refused"
    AuditLevel level = AuditLevel::info;
    std::string peer{};  // a peer's id; empty: a stranger, or nobody in particular
    std::string fingerprint{};
    std::optional<SocketAddress> remote{};
    std::string service{};  // the ALPN, or what else was asked for
    std::string reason{};   // why not: the id of a cause; empty: allowed
    std::string detail{};
    /// Others can bring it about as often as they like: repetitions are counted instead of kept.
    bool repeats = false;
    /// Names of static lifetime, from docs/audit.md.
    std::vector<std::pair<std::string_view, std::string>> more{};
};

class AuditSink {
public:
    virtual ~AuditSink() = default;
    /// Thread-safe, and never waits for the disk. What cannot be kept is counted.
    virtual void record(AuditEntry entry) noexcept = 0;
    /// Asked before something is allowed. An error where nothing may happen without a record, and
    /// records cannot be kept now. Thread-safe, likewise.
    [[nodiscard]] virtual result<void> ready() const = 0;
};

}  // namespace alknet
