#include "event_feed.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace alknet::app {

namespace {

using call::Item;
using call::Json;

constexpr std::uint64_t kNumbersPerMillisecond = 1000;

std::uint64_t milliseconds_of(WallTime now) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
}

void add(Json::Object& to, std::string_view name, std::string_view text) {
    if (!text.empty()) {
        to.emplace_back(name, text.substr(0, EventFeed::kTextBytesMax));
    }
}

// The names are those of the audit log.
Json described(const AuditEntry& entry, WallTime now) {
    Json::Object event{{"event", entry.event}, {"time_ms", milliseconds_of(now)}};
    add(event, "level", entry.level == AuditLevel::alarm ? "alarm" : "");
    add(event, "peer", entry.peer);
    add(event, "key", entry.fingerprint);
    add(event, "remote", entry.remote ? entry.remote->to_string() : std::string());
    add(event, "service", entry.service);
    add(event, "reason", entry.reason);
    add(event, "detail", entry.detail);
    for (const auto& [name, text] : entry.more) {
        add(event, name, text);
    }
    return event;
}

}  // namespace

EventFeed::EventFeed(Loop& loop)
    : loop_(loop),
      first_(milliseconds_of(loop.wall_now()) * kNumbersPerMillisecond),
      newest_(first_ - 1) {}

void EventFeed::keep(Json output) {
    const std::lock_guard lock(mutex_);
    kept_.push_back({.seq = ++newest_, .output = std::move(output)});
    if (kept_.size() > kKeptMax) {
        kept_.pop_front();
    }
    if (watchers_ > 0 && !std::exchange(waking_, true)) {
        loop_.post([self = shared_from_this()] {
            {
                const std::lock_guard again(self->mutex_);
                self->waking_ = false;
            }
            self->news_.wake_all();
        });
    }
}

void EventFeed::record(AuditEntry entry) noexcept {
    try {
        keep(described(entry, loop_.wall_now()));
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): no memory; watchers see
        // that its number is missing.
    }
    if (next_ != nullptr) {
        next_->record(std::move(entry));
    }
}

result<void> EventFeed::ready() const {
    return next_ == nullptr ? result<void>() : next_->ready();
}

/// Whom `keep` wakes.
class EventFeed::Watcher {
public:
    explicit Watcher(std::shared_ptr<EventFeed> feed) : feed_(std::move(feed)) {
        const std::lock_guard lock(feed_->mutex_);
        ++feed_->watchers_;
    }
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher() {
        const std::lock_guard lock(feed_->mutex_);
        --feed_->watchers_;
    }

private:
    std::shared_ptr<EventFeed> feed_;
};

// How many are missing of an earlier run nobody knows: one stands for them.
std::optional<Item> EventFeed::next_after(std::uint64_t after) const {
    const std::lock_guard lock(mutex_);
    if (kept_.empty() || after >= newest_) {
        return std::nullopt;
    }
    const std::uint64_t oldest = kept_.front().seq;
    const std::uint64_t earlier = after + 1 < first_ ? 1 : 0;
    const std::uint64_t wanted = std::max(after + 1, first_);
    const std::uint64_t missed = earlier + (oldest > wanted ? oldest - wanted : 0);
    const Kept& found = kept_[oldest > wanted ? 0 : wanted - oldest];
    return Item{.output = found.output,
                .seq = found.seq,
                .missed = missed > 0 ? std::optional(missed) : std::nullopt};
}

task<result<void>> EventFeed::watch(std::optional<std::uint64_t> after, call::ItemSink& items) {
    const Watcher watcher(shared_from_this());
    std::uint64_t newest = 0;
    {
        const std::lock_guard lock(mutex_);
        newest = newest_;
    }
    std::uint64_t last = after.value_or(newest);
    if (last > newest) {
        co_return fail(causes::kUsage, "resume_after: there is no event of that number yet");
    }
    for (;;) {
        auto item = next_after(last);
        if (!item) {
            ALKNET_CO_CHECK(co_await news_.wait());
            continue;
        }
        last = *item->seq;
        ALKNET_CO_CHECK(co_await items.give(*std::move(item)));
    }
}

}  // namespace alknet::app
