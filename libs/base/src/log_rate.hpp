// How often each event may be logged: a token bucket for each event name.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alknet {

class LogRates {
public:
    using Time = std::chrono::nanoseconds;

    /// `per_second` 0: everything is allowed.
    LogRates(std::uint32_t per_second, std::uint32_t burst)
        : per_second_(per_second), burst_(burst) {}

    /// False, and counted, if the event has used up its rate. `now` does not run backwards.
    bool allow(std::string_view event, Time now);

    /// The events that were refused, and how often, since they were last asked for.
    std::vector<std::pair<std::string, std::uint64_t>> take_suppressed();
    [[nodiscard]] bool suppressed() const noexcept { return suppressed_ > 0; }

private:
    struct Bucket {
        double tokens;
        Time filled;
        std::uint64_t suppressed = 0;
    };
    Bucket& bucket(std::string_view event, Time now);

    double per_second_;
    double burst_;
    std::uint64_t suppressed_ = 0;
    std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace alknet
