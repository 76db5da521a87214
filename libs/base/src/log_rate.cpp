#include "log_rate.hpp"

#include <algorithm>
#include <alknet/base/log_sink.hpp>

namespace alknet {

LogRates::Bucket& LogRates::bucket(std::string_view event, Time now) {
    auto found = buckets_.find(event);
    if (found == buckets_.end()) {
        const std::string_view name = buckets_.size() < kLogRatesMax ? event : "other";
        found = buckets_.try_emplace(std::string(name), Bucket{burst_, now}).first;
    }
    return found->second;
}

bool LogRates::allow(std::string_view event, Time now) {
    if (per_second_ <= 0) {
        return true;
    }
    Bucket& mine = bucket(event, now);
    const std::chrono::duration<double> passed = std::max(now - mine.filled, Time::zero());
    mine.tokens = std::min(burst_, mine.tokens + passed.count() * per_second_);
    mine.filled = now;
    if (mine.tokens < 1) {
        ++mine.suppressed;
        ++suppressed_;
        return false;
    }
    mine.tokens -= 1;
    return true;
}

std::vector<std::pair<std::string, std::uint64_t>> LogRates::take_suppressed() {
    std::vector<std::pair<std::string, std::uint64_t>> taken;
    for (auto& [name, bucket] : buckets_) {
        if (bucket.suppressed > 0) {
            taken.emplace_back(name, std::exchange(bucket.suppressed, 0));
        }
    }
    suppressed_ = 0;
    return taken;
}

}  // namespace alknet
