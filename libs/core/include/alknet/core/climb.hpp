// When whoever is on a lower rung tries the upper ones again: a schedule, without clock or task.
#pragma once

#include <alknet/core/rung.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>

namespace alknet {

/// Above which rung something better begins for a connection on `rung`: QUIC for TCP of either
/// family, QUIC and TCP for a proxy. Nothing is better than QUIC.
[[nodiscard]] constexpr bool can_climb(Rung rung) noexcept {
    return !is_quic(rung);
}
[[nodiscard]] constexpr Rung climbs_above(Rung rung) noexcept {
    return rung == Rung::tcp_v4 ? Rung::tcp_v6 : rung;
}

class ClimbSchedule {
public:
    /// The first kEarly attempts come this soon, so that a block that ends soon is noticed within
    /// a minute …
    static constexpr Duration kFirst = std::chrono::seconds(30);
    static constexpr std::size_t kEarly = 10;
    /// … and later ones up to this far apart.
    static constexpr Duration kMax = std::chrono::minutes(5);

    /// Between attempts that are further apart, whoever can ask for little asks this often, and up
    /// to a third later, whether QUIC answers again.
    static constexpr Duration kKnock = kFirst;
    static constexpr Duration kKnockMax = kKnock + kKnock / 3;

    /// How long to wait before the next attempt. `chance` in [0, 1) spreads those who wait: it adds
    /// up to a third, within kMax.
    Duration next(double chance) noexcept;
    /// The network has changed.
    void reset() noexcept { attempts_ = 0; }
    /// What an attempt found did not last: the next ones come late.
    void disappointed() noexcept;

private:
    std::size_t attempts_ = 0;
};

/// What was climbed to has proven itself when it lasted this long.
inline constexpr Duration kClimbProven = std::chrono::minutes(1);

}  // namespace alknet
