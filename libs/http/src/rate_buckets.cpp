#include "rate_buckets.hpp"

#include <algorithm>
#include <iterator>

namespace alknet::http {

namespace {

using Seconds = std::chrono::duration<double>;

/// Of all for whom there was no place.
constexpr std::string_view kShared;
/// How often all of them are looked through.
constexpr Duration kForgetEach = std::chrono::seconds(1);

}  // namespace

// The loops' clocks are not read at the same moment.
void RateBuckets::fill(Bucket& bucket, TimePoint now) const {
    const Seconds since = std::max(now - bucket.filled, Duration());
    bucket.left =
        std::min(bucket.left + since.count() * static_cast<double>(limits_.requests_per_second),
                 static_cast<double>(limits_.requests_burst));
    bucket.filled = std::max(bucket.filled, now);
}

// Whoever has a full one again is as good as unknown.
void RateBuckets::forget_idle(Table& table, TimePoint now) const {
    if (table.looked_through && now - *table.looked_through < kForgetEach) {
        return;
    }
    table.looked_through = now;
    for (auto one = table.buckets.begin(); one != table.buckets.end();) {
        fill(one->second, now);
        const bool full = one->second.left >= static_cast<double>(limits_.requests_burst);
        one = full ? table.buckets.erase(one) : std::next(one);
    }
}

RateBuckets::Bucket& RateBuckets::find(std::string_view whose, TimePoint now) {
    Table& table = whose.starts_with(kIdentity) ? identities_ : addresses_;
    auto& buckets = table.buckets;
    auto found = buckets.find(whose);
    if (found == buckets.end() && buckets.size() >= kRateBucketsMax) {
        forget_idle(table, now);
    }
    if (found == buckets.end()) {
        const std::string_view name = buckets.size() < kRateBucketsMax ? whose : kShared;
        const Bucket full{.left = static_cast<double>(limits_.requests_burst), .filled = now};
        found = buckets.try_emplace(std::string(name), full).first;
    }
    fill(found->second, now);
    return found->second;
}

std::optional<Duration> RateBuckets::wait_for(const Bucket& bucket) const {
    if (bucket.left >= 1) {
        return std::nullopt;
    }
    const Seconds wait((1 - bucket.left) / static_cast<double>(limits_.requests_per_second));
    return std::chrono::ceil<std::chrono::milliseconds>(wait);
}

std::optional<Duration> RateBuckets::look(std::string_view whose, TimePoint now) {
    const std::lock_guard lock(mutex_);
    return wait_for(find(whose, now));
}

std::optional<Duration> RateBuckets::take(std::string_view whose, TimePoint now) {
    const std::lock_guard lock(mutex_);
    Bucket& bucket = find(whose, now);
    const auto wait = wait_for(bucket);
    if (!wait) {
        bucket.left -= 1;
    }
    return wait;
}

}  // namespace alknet::http
