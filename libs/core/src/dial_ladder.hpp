// What a dial tries, in which order, and which of several failures is worth telling.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/rt/time.hpp>
#include <vector>

namespace alknet {

/// One rung: begins `after` the dial did, or once all that began before it have failed.
struct DialAttempt {
    Transport transport = Transport::quic;
    SocketAddress remote;
    Duration after{};
};

[[nodiscard]] std::vector<DialAttempt> dial_ladder(const std::vector<SocketAddress>& addresses,
                                                   bool quic, bool tcp);

/// How much a failure tells: one that a node answered with says more than silence.
[[nodiscard]] int dial_error_rank(const error& why) noexcept;

}  // namespace alknet
