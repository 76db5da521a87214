#include "dial_ladder.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/dial.hpp>
#include <array>
#include <utility>

namespace alknet {

std::vector<DialAttempt> dial_ladder(const std::vector<SocketAddress>& addresses, bool quic,
                                     bool tcp) {
    const std::size_t count = std::min(addresses.size(), Dialer::kAddressesMax);
    std::vector<DialAttempt> ladder;
    const auto add = [&](Transport transport, Duration from) {
        for (std::size_t i = 0; i < count; ++i) {
            ladder.push_back({.transport = transport,
                              .remote = addresses[i],
                              .after = from + Dialer::kAttemptStagger * i});
        }
    };
    if (quic) {
        add(Transport::quic, Duration::zero());
    }
    if (tcp) {
        add(Transport::tcp, quic ? Dialer::kQuicLead : Duration::zero());
    }
    std::ranges::sort(
        ladder, {}, [](const DialAttempt& rung) { return std::pair(rung.after, rung.transport); });
    return ladder;
}

int dial_error_rank(const error& why) noexcept {
    // Least telling first.
    constexpr std::array kOrder = {
        &causes::kCancelled,    &causes::kUnreachable,      &causes::kIo,
        &causes::kTimeout,      &causes::kHandshakeTimeout, &causes::kReset,
        &causes::kClosed,       &causes::kVersionMismatch,  &causes::kTls,
        &causes::kNoCommonAlpn, &causes::kPeerUnverified,   &causes::kPeerKeyMismatch,
    };
    const auto found = std::ranges::find(kOrder, &why.cause());
    // What is not foreseen is likely a fault of our own, and worth seeing.
    return static_cast<int>(found - kOrder.begin());
}

}  // namespace alknet
