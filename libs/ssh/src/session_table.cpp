#include <alknet/ssh/session_table.hpp>
#include <utility>

namespace alknet::ssh {

std::string_view to_string(SessionEntry::Kind kind) noexcept {
    switch (kind) {
        case SessionEntry::Kind::session:
            return "session";
        case SessionEntry::Kind::connect:
            return "connect";
        case SessionEntry::Kind::listen:
            return "listen";
        case SessionEntry::Kind::arrival:
            return "arrival";
        case SessionEntry::Kind::program:
            break;
    }
    return "program";
}

// Whoever watches is told outside of the lock, and may look here.
std::shared_ptr<const SessionTable::Place> SessionTable::add(SessionEntry entry,
                                                             std::function<void()> close) {
    std::shared_ptr<const Watcher> watcher;
    {
        const std::scoped_lock lock(mutex_);
        entry.id = ++last_;
        entry.session = entry.session == 0 ? entry.id : entry.session;
        kept_[entry.id] = {.entry = entry, .close = std::move(close)};
        watcher = watcher_;
    }
    auto place = std::make_shared<const Place>(shared_from_this(), entry.id);
    if (watcher != nullptr) {
        (*watcher)(entry, true);
    }
    return place;
}

void SessionTable::remove(std::uint64_t id) {
    std::shared_ptr<const Watcher> watcher;
    Kept gone;
    {
        const std::scoped_lock lock(mutex_);
        const auto found = kept_.find(id);
        gone = std::move(found->second);
        kept_.erase(found);
        watcher = watcher_;
    }
    if (watcher != nullptr) {
        (*watcher)(gone.entry, false);
    }
}

std::vector<SessionEntry> SessionTable::all() const {
    const std::scoped_lock lock(mutex_);
    std::vector<SessionEntry> entries;
    for (const auto& [id, kept] : kept_) {
        entries.push_back(kept.entry);
    }
    return entries;
}

bool SessionTable::close(std::uint64_t id) const {
    std::function<void()> close;
    {
        const std::scoped_lock lock(mutex_);
        const auto found = kept_.find(id);
        if (found == kept_.end()) {
            return false;
        }
        close = found->second.close;
    }
    close();
    return true;
}

void SessionTable::watch(Watcher watcher) {
    const std::scoped_lock lock(mutex_);
    watcher_ = watcher ? std::make_shared<const Watcher>(std::move(watcher)) : nullptr;
}

}  // namespace alknet::ssh
