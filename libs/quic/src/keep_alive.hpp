// How long a path may be silent before something is sent to keep it open. Sans-I/O.
#pragma once

#include <algorithm>
#include <alknet/net/socket_address.hpp>
#include <alknet/rt/time.hpp>

namespace alknet::quic {

struct Silence {
    Duration wanted{};     // at most, for whatever translates addresses on the way; zero: no end
    Duration own_idle{};   // zero: none
    Duration peer_idle{};  // zero: none
};

/// Whether both addresses are on one link, so that nothing between them translates addresses and
/// forgets about it: one machine, or one subnet of the usual size.
[[nodiscard]] inline bool on_one_link(const SocketAddress& a, const SocketAddress& b) noexcept {
    using Family = SocketAddress::Family;
    if (a.family() != b.family() || a.family() == Family::none || a.is_any() || b.is_any()) {
        return false;
    }
    constexpr std::ptrdiff_t kOctetsV4 = 3;
    constexpr std::ptrdiff_t kOctetsV6 = 8;
    const auto count = a.family() == Family::v4 ? kOctetsV4 : kOctetsV6;
    return (a.is_loopback() && b.is_loopback()) ||
           std::equal(a.ip().begin(), a.ip().begin() + count, b.ip().begin());
}

/// Half of what either side takes for dead (RFC 9000 section 10.1.2), and what was wanted, unless
/// the path is one link: there only the two sides can forget. Zero: nothing need be sent.
[[nodiscard]] inline Duration keep_alive_interval(const Silence& silence, bool one_link) noexcept {
    if (silence.wanted <= Duration::zero()) {
        return {};
    }
    Duration interval = one_link ? Duration::max() : silence.wanted;
    for (const Duration idle : {silence.own_idle, silence.peer_idle}) {
        if (idle > Duration::zero()) {
            interval = std::min(interval, idle / 2);
        }
    }
    return interval == Duration::max() ? silence.wanted : interval;
}

}  // namespace alknet::quic
