#include "event_feed.hpp"

#include <alknet/call/described.hpp>
#include <exception>
#include <utility>

namespace alknet::app {

namespace {

using call::Json;

std::string cut(std::string_view text) {
    return std::string(text.substr(0, LiveFeed::kTextBytesMax));
}
std::optional<std::string> unless_empty(std::string_view text) {
    return text.empty() ? std::nullopt : std::optional(cut(text));
}

Json item_of(const AuditEntry& entry, WallTime now) {
    const EventItem item{
        .event = std::string(entry.event),
        .time_ms = milliseconds_of(now),
        .level = unless_empty(entry.level == AuditLevel::alarm ? "alarm" : ""),
        .peer = unless_empty(entry.peer),
        .key = unless_empty(entry.fingerprint),
        .remote = unless_empty(entry.remote ? entry.remote->to_string() : std::string()),
        .service = unless_empty(entry.service),
        .reason = unless_empty(entry.reason),
        .detail = unless_empty(entry.detail)};
    Json json = call::to_json(item);
    for (const auto& [name, text] : entry.more) {
        if (!text.empty()) {
            json.as_object()->emplace_back(name, cut(text));
        }
    }
    return json;
}

}  // namespace

void EventFeed::record(AuditEntry entry) noexcept {
    try {
        feed_->keep(item_of(entry, feed_->loop().wall_now()));
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): no memory, and a live view
        // of it is not worth more than the node.
    }
    if (next_ != nullptr) {
        next_->record(std::move(entry));
    }
}

result<void> EventFeed::ready() const {
    return next_ == nullptr ? result<void>() : next_->ready();
}

}  // namespace alknet::app
