// EventFeed: what the node decides, for those who watch it live. It stands before the audit log.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/audit.hpp>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "live_feed.hpp"

namespace alknet::app {

/// What `events/watch` gives; of each event there may be more members. The names are those of the
/// audit log.
struct EventItem {
    std::string event;
    std::uint64_t time_ms = 0;
    std::optional<std::string> level{};
    std::optional<std::string> peer{};
    std::optional<std::string> key{};
    std::optional<std::string> remote{};
    std::optional<std::string> service{};
    std::optional<std::string> reason{};
    std::optional<std::string> detail{};
    static constexpr std::array<std::string_view, 9> kAbout = {
        "what happened, as docs/audit.md calls it",
        "since 1970",
        "alarm, for what somebody should see to",
        "the id of a peer",
        "the fingerprint that was proven",
        "address and port",
        "the ALPN, or what else was asked for",
        "why not: a cause that alknet explain knows",
        "more of it"};
};

class EventFeed final : public AuditSink {
public:
    explicit EventFeed(Loop& loop) : feed_(std::make_shared<LiveFeed>(loop)) {}

    /// Who is told too. Before the first record.
    void set_next(std::shared_ptr<AuditSink> next) { next_ = std::move(next); }

    void record(AuditEntry entry) noexcept override;
    [[nodiscard]] result<void> ready() const override;

    [[nodiscard]] LiveFeed& live() const noexcept { return *feed_; }

private:
    const std::shared_ptr<LiveFeed> feed_;
    std::shared_ptr<AuditSink> next_;
};

}  // namespace alknet::app
