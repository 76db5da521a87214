#include <algorithm>
#include <alknet/ssh/listeners.hpp>
#include <utility>

namespace alknet::ssh {

std::shared_ptr<const void> Listeners::add(const SocketAddress& bound, const std::string& identity,
                                           std::function<void()> challenge) {
    const std::scoped_lock lock(mutex_);
    const std::uint64_t id = ++drawn_;
    entries_[id] = {.bound = bound, .identity = identity, .challenge = std::move(challenge)};
    const auto remove = [all = shared_from_this(), id](const void*) {
        const std::scoped_lock again(all->mutex_);
        all->entries_.erase(id);
    };
    return std::shared_ptr<const void>(this, remove);
}

// An address that is everybody's is in the way of each, and the other way round.
bool Listeners::challenge(const SocketAddress& wanted, const std::string& identity) const {
    const std::scoped_lock lock(mutex_);
    bool found = false;
    for (const auto& [id, entry] : entries_) {
        const bool overlap = entry.bound.port() == wanted.port() &&
                             (entry.bound.is_any() || wanted.is_any() || entry.bound == wanted);
        if (overlap && entry.identity == identity) {
            entry.challenge();
            found = true;
        }
    }
    return found;
}

}  // namespace alknet::ssh
