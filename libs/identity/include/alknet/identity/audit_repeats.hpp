// Which of what others can repeat as often as they like is kept, and which only counted.
#pragma once

#include <alknet/core/audit.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace alknet::identity {

/// Of entries that say `repeats`. One thread at a time.
class AuditRepeats {
public:
    static constexpr Duration kWindow = std::chrono::minutes(1);
    /// Of a stranger's address (IPv6: /56), event for event, in one window.
    static constexpr std::uint32_t kStrangerMax = 3;
    /// Of one peer, service and reason.
    static constexpr std::uint32_t kPeerMax = 30;
    /// Of all strangers together, without alarms; then those not seen before are counted as one.
    static constexpr std::uint32_t kStrangersMax = 60;
    /// Kept apart; others are counted as one.
    static constexpr std::size_t kSourcesMax = 1024;

    /// False: it is counted.
    bool keep(const AuditEntry& entry, TimePoint now);
    /// The last entry that `keep` was asked for is counted, as the first of its window: `next` may
    /// be sooner than before.
    [[nodiscard]] bool counts_anew() const noexcept { return anew_; }
    /// `audit.repeated` for each window that has ended and in which something was counted.
    [[nodiscard]] std::vector<AuditEntry> take_ended(TimePoint now);
    /// When the next one is due; nullopt: nothing was counted.
    [[nodiscard]] std::optional<TimePoint> next() const;
    [[nodiscard]] std::size_t sources() const noexcept { return sources_.size(); }

private:
    struct Source {
        TimePoint began;
        std::uint32_t kept = 0;
        std::uint64_t counted = 0;
        AuditEntry last;  // that was counted
    };
    Source& source_of(const AuditEntry& entry, TimePoint now);

    bool anew_ = false;
    std::map<std::string, Source> sources_;
    TimePoint strangers_began_;
    std::uint32_t strangers_ = 0;
};

}  // namespace alknet::identity
