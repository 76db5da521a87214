#include <algorithm>
#include <alknet/identity/audit_repeats.hpp>
#include <utility>

namespace alknet::identity {

namespace {

// A separator that no name contains; an enemy who chooses names gains nothing by one that does.
std::string key_of(const AuditEntry& entry) {
    std::string key(entry.event);
    if (!entry.peer.empty()) {
        return key.append("\n")
            .append(entry.peer)
            .append("\n")
            .append(entry.service)
            .append("\n" + entry.reason);
    }
    return key.append("\n@").append(entry.remote ? entry.remote->limit_group().to_string()
                                                 : std::string());
}

// A flood of refusals must not hide an alarm.
bool is_rationed(const AuditEntry& entry) {
    return entry.peer.empty() && entry.level != AuditLevel::alarm;
}

}  // namespace

AuditRepeats::Source& AuditRepeats::source_of(const AuditEntry& entry, TimePoint now) {
    const std::string key = key_of(entry);
    if (const auto found = sources_.find(key); found != sources_.end()) {
        return found->second;
    }
    if (sources_.size() >= kSourcesMax || (is_rationed(entry) && strangers_ >= kStrangersMax)) {
        Source& others = sources_.try_emplace(std::string(entry.event)).first->second;
        if (others.counted == 0) {
            others.began = now;
        }
        others.kept = kPeerMax;
        return others;
    }
    Source& fresh = sources_.try_emplace(key).first->second;
    fresh.began = now;
    return fresh;
}

bool AuditRepeats::keep(const AuditEntry& entry, TimePoint now) {
    anew_ = false;
    if (!entry.repeats) {
        return true;
    }
    std::erase_if(sources_, [&](const auto& one) {
        return one.second.counted == 0 && now - one.second.began >= kWindow;
    });
    if (now - strangers_began_ >= kWindow) {
        strangers_began_ = now;
        strangers_ = 0;
    }
    const bool stranger = entry.peer.empty();
    Source& source = source_of(entry, now);
    const bool rationed = is_rationed(entry);
    if (source.kept < (stranger ? kStrangerMax : kPeerMax) &&
        (!rationed || strangers_ < kStrangersMax)) {
        ++source.kept;
        strangers_ += rationed ? 1 : 0;
        return true;
    }
    anew_ = ++source.counted == 1;
    source.last = entry;
    return false;
}

std::vector<AuditEntry> AuditRepeats::take_ended(TimePoint now) {
    std::vector<AuditEntry> ended;
    for (auto at = sources_.begin(); at != sources_.end();) {
        if (now - at->second.began < kWindow) {
            ++at;
            continue;
        }
        Source source = std::move(at->second);
        const bool of_many = at->first.find('\n') == std::string::npos;
        at = sources_.erase(at);
        if (source.counted == 0) {
            continue;
        }
        AuditEntry entry = std::move(source.last);
        entry.more.insert(entry.more.begin(), {{"of", std::string(entry.event)},
                                               {"count", std::to_string(source.counted)},
                                               {"sources", of_many ? "many" : "one"}});
        entry.event = "audit.repeated";
        entry.repeats = false;
        ended.push_back(std::move(entry));
    }
    return ended;
}

std::optional<TimePoint> AuditRepeats::next() const {
    std::optional<TimePoint> first;
    for (const auto& [key, source] : sources_) {
        if (source.counted > 0) {
            const TimePoint due = time_after(source.began, kWindow);
            first = first ? std::min(*first, due) : due;
        }
    }
    return first;
}

}  // namespace alknet::identity
