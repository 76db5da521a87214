// GoodputMeter: how fast a connection is while there is as much to carry as it takes. No clock, no
// task: whoever moves the octets shows it the count.
#pragma once

#include <alknet/core/path_memory.hpp>
#include <alknet/rt/time.hpp>
#include <cstdint>
#include <optional>

namespace alknet {

class GoodputMeter {
public:
    /// What counts as busy although nobody knows whether there was more to carry, in octets per
    /// second; a conversation or a log file is slower.
    static constexpr std::uint64_t kBusyRate = 64 << 10;
    static constexpr Duration kLook = std::chrono::seconds(1);

    struct Measured {
        std::uint64_t bytes = 0;
        Duration time{};
    };
    /// `bytes`: all that were moved so far, in both directions together; `pushing`: more would have
    /// gone if it could. Gives a measurement when every look of the last
    /// PathMemory::kGoodputTimeMin was busy, and begins the next one. May be called as often as one
    /// likes.
    std::optional<Measured> look(TimePoint now, std::uint64_t bytes, bool pushing) noexcept;

private:
    struct Mark {
        TimePoint at;
        std::uint64_t bytes = 0;
    };
    std::optional<Mark> began_{};
    Mark looked_{};
};

}  // namespace alknet
