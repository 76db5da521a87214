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

/// Who is known apart, of identities and of addresses each; of further ones, all who come while as
/// many are busy share one. So no number of strangers counts for somebody who is known.
inline constexpr std::size_t kRateBucketsMax = 8192;

/// What the name of an identity begins with.
inline constexpr std::string_view kIdentity = "id ";

/// Thread-safe.
class RateBuckets {
public:
    /// `limits.requests_per_second` is not 0.
    explicit RateBuckets(const RateLimits& limits) : limits_(limits) {}

    /// `whose` begins with kIdentity, or is an address. nullopt: he may. Else how long it is until
    /// he may again.
    [[nodiscard]] std::optional<Duration> take(std::string_view whose, TimePoint now);
    /// The same, without taking anything.
    [[nodiscard]] std::optional<Duration> look(std::string_view whose, TimePoint now);

private:
    struct Bucket {
        double left;
        TimePoint filled;
    };
    struct Table {
        std::map<std::string, Bucket, std::less<>> buckets;
        std::optional<TimePoint> looked_through;
    };
    Bucket& find(std::string_view whose, TimePoint now);
    void fill(Bucket& bucket, TimePoint now) const;
    void forget_idle(Table& table, TimePoint now) const;
    [[nodiscard]] std::optional<Duration> wait_for(const Bucket& bucket) const;

    const RateLimits limits_;
    std::mutex mutex_;
    Table identities_;
    Table addresses_;
};

}  // namespace alknet::http
