#include <alknet/ssh/places.hpp>

namespace alknet::ssh {

result<std::shared_ptr<const void>> Places::take(const std::string& identity) {
    const std::scoped_lock lock(mutex_);
    std::size_t& taken = taken_[identity];
    if (taken >= most_) {
        return fail(causes::kLimit, std::to_string(most_) + " at a time");
    }
    ++taken;
    const auto give_up = [places = shared_from_this(), identity](const void*) {
        const std::scoped_lock again(places->mutex_);
        const auto found = places->taken_.find(identity);
        if (--found->second == 0) {
            places->taken_.erase(found);
        }
    };
    return std::shared_ptr<const void>(this, give_up);
}

std::size_t Places::taken(const std::string& identity) const {
    const std::scoped_lock lock(mutex_);
    const auto found = taken_.find(identity);
    return found == taken_.end() ? 0 : found->second;
}

}  // namespace alknet::ssh
