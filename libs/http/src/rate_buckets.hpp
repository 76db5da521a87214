// How many requests somebody may have: a token bucket for each identity and each group of
// addresses. No clock of its own.
#pragma once

#include <alknet/http/limits.hpp>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::http {

/// Who is known apart; of further ones, all who come while as many are busy share one.
inline constexpr std::size_t kRateBucketsMax = 8192;

/// Thread-safe.
class RateBuckets {
public:
    /// `limits.requests_per_second` is not 0.
    explicit RateBuckets(const RateLimits& limits) : limits_(limits) {}

    /// nullopt: he may. Else how long it is until he may again.
    [[nodiscard]] std::optional<Duration> take(std::string_view whose, TimePoint now);
    /// The same, without taking anything.
    [[nodiscard]] std::optional<Duration> look(std::string_view whose, TimePoint now);

private:
    struct Bucket {
        double left;
        TimePoint filled;
    };
    Bucket& find(std::string_view whose, TimePoint now);
    void fill(Bucket& bucket, TimePoint now) const;
    void forget_idle(TimePoint now);
    [[nodiscard]] std::optional<Duration> wait_for(const Bucket& bucket) const;

    const RateLimits limits_;
    std::mutex mutex_;
    std::map<std::string, Bucket, std::less<>> buckets_;
    std::optional<TimePoint> looked_through_;
};

}  // namespace alknet::http
