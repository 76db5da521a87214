#include "stream_directory.hpp"

#include <alknet/resume/handler.hpp>

namespace alknet::resume {

std::shared_ptr<StreamDirectory> make_stream_directory() {
    return std::make_shared<StreamDirectory>();
}

std::size_t StreamDirectory::join(Loop& loop, std::weak_ptr<Forwardable> self) {
    const std::lock_guard lock(mutex_);
    places_.push_back({.loop = loop, .handler = std::move(self)});
    return places_.size() - 1;
}

StreamDirectory::Claim StreamDirectory::claim(const StreamKey& key, const std::string& owner,
                                              std::size_t place, const Limits& limits) {
    const std::lock_guard lock(mutex_);
    if (claimed_.contains(key)) {
        return Claim::taken;
    }
    const auto theirs = of_owner_.find(owner);
    if ((theirs == of_owner_.end() ? 0 : theirs->second) >= limits.most_of_owner) {
        return Claim::too_many_of_owner;
    }
    if (claimed_.size() >= limits.most) {
        return Claim::too_many;
    }
    claimed_.emplace(key, Claimed{.place = place, .owner = owner});
    ++of_owner_[owner];
    return Claim::made;
}

void StreamDirectory::release(const StreamKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = claimed_.find(key);
    if (found == claimed_.end()) {
        return;
    }
    const auto theirs = of_owner_.find(found->second.owner);
    if (--theirs->second == 0) {
        of_owner_.erase(theirs);
    }
    claimed_.erase(found);
}

std::optional<StreamDirectory::Elsewhere> StreamDirectory::elsewhere(const StreamKey& key,
                                                                     std::size_t place) const {
    const std::lock_guard lock(mutex_);
    const auto found = claimed_.find(key);
    if (found == claimed_.end() || found->second.place == place) {
        return std::nullopt;
    }
    const Place& there = places_[found->second.place];
    return Elsewhere{.loop = there.loop, .handler = there.handler};
}

}  // namespace alknet::resume
