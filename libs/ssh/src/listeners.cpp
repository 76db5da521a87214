#include <algorithm>
#include <alknet/ssh/listeners.hpp>
#include <utility>

namespace alknet::ssh {

std::shared_ptr<const void> Listeners::add(const ForwardPlace& bound, const std::string& identity,
                                           std::function<void()> challenge) {
    const std::scoped_lock lock(mutex_);
    const std::uint64_t id = ++drawn_;
    entries_[id] = {.bound = bound.address,
                    .path = std::string(bound.path),
                    .identity = identity,
                    .challenge = std::move(challenge)};
    const auto remove = [all = shared_from_this(), id](const void*) {
        const std::scoped_lock again(all->mutex_);
        all->entries_.erase(id);
    };
    return std::shared_ptr<const void>(this, remove);
}

// An address that is everybody's is in the way of each, and the other way round.
bool Listeners::challenge(const ForwardPlace& wanted, const std::string& identity) const {
    const SocketAddress& address = wanted.address;
    const std::scoped_lock lock(mutex_);
    bool found = false;
    for (const auto& [id, entry] : entries_) {
        const bool same = entry.bound.is_any() || address.is_any() || entry.bound == address;
        const bool overlap =
            wanted.path.empty() ? entry.path.empty() && entry.bound.port() == address.port() && same
                                : entry.path == wanted.path;
        if (overlap && entry.identity == identity) {
            entry.challenge();
            found = true;
        }
    }
    return found;
}

}  // namespace alknet::ssh
