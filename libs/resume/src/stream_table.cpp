#include "stream_table.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <utility>
#include <vector>

namespace alknet::resume {

namespace {

double seconds(Duration duration) noexcept {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

Entry::Entry(Loop& loop, StreamTable& table)
    : expiry(loop, [this, &table] { table.expired(*this); }) {}

StreamTable::StreamTable(Loop& loop, ResumeLimits limits,
                         std::shared_ptr<StreamDirectory> directory, Log log,
                         std::shared_ptr<Metrics> metrics)
    : loop_(loop),
      limits_(limits),
      directory_(std::move(directory)),
      log_(std::move(log)),
      metrics_(std::move(metrics)),
      attached_(metrics_->gauges("alknet_resume_streams", "Resumable streams", {"state"})
                    .with({"attached"})),
      lingering_(metrics_->gauges("alknet_resume_streams", "Resumable streams", {"state"})
                     .with({"lingering"})),
      resumed_(metrics_->counters("alknet_resume_attached_total",
                                  "Times a resumable stream began or went on", {"how"})),
      ended_(metrics_->counters("alknet_resume_ended_total", "Resumable streams that have ended",
                                {"how"})),
      refused_(metrics_->counters("alknet_resume_refused_total",
                                  "Resumable streams that were refused", {"code"})),
      limit_hits_(metrics_->counters("alknet_limit_hits_total",
                                     "Times a limit struck, by its configuration key", {"limit"})) {
}

StreamTable::~StreamTable() {
    for (const auto& [key, entry] : entries_) {
        directory_->release(key);
    }
}

void StreamTable::join(std::weak_ptr<Forwardable> handler) {
    place_ = directory_->join(loop_, std::move(handler));
}

result<void> StreamTable::claim(const StreamKey& key, const std::string& owner) {
    const bool known = !owner.empty();
    const StreamDirectory::Limits limits{
        .most = limits_.streams_max,
        .most_of_owner =
            known ? limits_.streams_per_identity_max : limits_.streams_unauthenticated_max};
    for (;;) {
        const auto claim = directory_->claim(key, owner, place_, limits);
        if (claim == StreamDirectory::Claim::made) {
            return {};
        }
        if (claim == StreamDirectory::Claim::taken) {
            return fail(causes::kProtocol, "an id that is in use");
        }
        const bool all = claim == StreamDirectory::Claim::too_many;
        if (!make_room(all ? nullptr : &owner)) {
            const std::string limit = all     ? "resume.streams_max"
                                      : known ? "resume.streams_per_identity_max"
                                              : "resume.streams_unauthenticated_max";
            limit_hits_.with({limit}).add();
            return fail(causes::kLimit, limit);
        }
    }
}

result<std::shared_ptr<Entry>> StreamTable::admit(const Open& wanted, const AuthContext& auth) {
    const bool known = auth.identity.has_value();
    const StreamKey key{auth.peer.fingerprint(), wanted.id};
    const std::string owner = known ? auth.identity->id : "";
    ALKNET_CHECK(claim(key, owner));
    auto entry = std::make_shared<Entry>(loop_, *this);
    entry->key = key;
    entry->owner = owner;
    entry->alpn = wanted.alpn;
    entry->linger =
        std::min<Duration>(std::chrono::seconds(wanted.linger_seconds),
                           known ? limits_.linger_max : limits_.linger_unauthenticated_max);
    entry->core = std::make_shared<StreamCore>(
        loop_, known ? limits_.ring_bytes_max : limits_.ring_bytes_unauthenticated_max, false);
    entries_.emplace(key, entry);
    count();
    log_.info("resume.opened", {{"remote_addr", auth.remote.to_string()},
                                {"key_fingerprint", entry->key.fingerprint},
                                {"alpn", entry->alpn},
                                {"linger", seconds(entry->linger)}});
    return entry;
}

// What only waits to tell its client that all has arrived gives way.
bool StreamTable::make_room(const std::string* owner) {
    Entry* oldest = nullptr;
    for (const auto& [key, entry] : entries_) {
        const bool theirs = owner == nullptr || entry->owner == *owner;
        if (theirs && entry->link == nullptr && entry->is_rest() &&
            (oldest == nullptr || entry->detached_at < oldest->detached_at)) {
            oldest = entry.get();
        }
    }
    if (oldest == nullptr) {
        return false;
    }
    forget(*oldest, "full");
    return true;
}

std::shared_ptr<Entry> StreamTable::find(const StreamKey& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second;
}

void StreamTable::attached(Entry& entry, const ConnectionInfo& through, bool again) {
    entry.expiry.disarm();
    count();
    resumed_.with({again ? "resumed" : "opened"}).add();
    if (again) {
        log_.info("resume.attached", {{"remote_addr", through.remote.to_string()},
                                      {"transport", alknet::to_string(through.transport)},
                                      {"key_fingerprint", entry.key.fingerprint},
                                      {"alpn", entry.alpn},
                                      {"gap", seconds(loop_.now() - entry.detached_at)}});
    }
}

void StreamTable::detached(Entry& entry) {
    if (entry.forgotten) {
        return;
    }
    entry.detached_at = loop_.now();
    if (stopping_) {
        lose(entry, error(causes::kShuttingDown), "shutdown");
        return;
    }
    entry.expiry.arm_after(entry.linger);
    count();
    log_.info("resume.detached", {{"key_fingerprint", entry.key.fingerprint},
                                  {"alpn", entry.alpn},
                                  {"held", entry.core->state().held_bytes()}});
}

void StreamTable::served(Entry& entry) {
    entry.connection.reset();
    if (!entry.forgotten && entry.link == nullptr && entry.is_rest()) {
        entry.core->state().detach();
    }
}

void StreamTable::expired(Entry& entry) {
    lose(entry, error(causes::kResumeLost, "resume.linger_max"), "expired");
}

void StreamTable::lose(Entry& entry, error why, std::string_view how) {
    const std::shared_ptr<Entry> alive = find(entry.key);
    entry.core->break_with(std::move(why));
    forget(entry, how);
}

void StreamTable::forget(Entry& entry, std::string_view how) {
    if (entry.forgotten) {
        return;
    }
    const std::shared_ptr<Entry> alive = find(entry.key);
    entry.forgotten = true;
    entry.expiry.disarm();
    entry.unlinked.wake_all();
    directory_->release(entry.key);
    entries_.erase(entry.key);
    count();
    ended_.with({how}).add();
    log_.info("resume.ended", {{"key_fingerprint", entry.key.fingerprint},
                               {"alpn", entry.alpn},
                               {"how", how},
                               {"sent", entry.core->state().sending().written()},
                               {"received", entry.core->state().receiving().received()}});
}

void StreamTable::stop() {
    stopping_ = true;
    std::vector<std::shared_ptr<Entry>> waiting;
    for (const auto& [key, entry] : entries_) {
        if (entry->link == nullptr) {
            waiting.push_back(entry);
        }
    }
    for (const auto& entry : waiting) {
        lose(*entry, error(causes::kShuttingDown), "shutdown");
    }
}

void StreamTable::refused(const Refuse& refusal, const AuthContext& auth) {
    refused_.with({std::to_string(refusal.code)}).add();
    if (refusal.code == close_code::kLimit) {
        log_.warn("limit.hit", {{"limit", refusal.text},
                                {"remote_addr", auth.remote.to_string()},
                                {"suppressed", std::uint64_t{0}}});
    }
}

std::size_t StreamTable::lingering() const noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(
        entries_, [](const auto& one) { return one.second->link == nullptr; }));
}

std::size_t StreamTable::held_bytes() const noexcept {
    std::size_t all = 0;
    for (const auto& [key, entry] : entries_) {
        all += entry->core->state().held_bytes();
    }
    return all;
}

std::size_t StreamTable::capacity_bytes() const noexcept {
    std::size_t all = 0;
    for (const auto& [key, entry] : entries_) {
        all += entry->core->state().capacity_bytes();
    }
    return all;
}

void StreamTable::count() noexcept {
    const std::size_t waiting = lingering();
    const std::size_t carried = entries_.size() - waiting;
    const auto more = [](std::size_t now, std::size_t before) {
        return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before);
    };
    lingering_.add(more(waiting, std::exchange(told_lingering_, waiting)));
    attached_.add(more(carried, std::exchange(told_attached_, carried)));
}

}  // namespace alknet::resume
