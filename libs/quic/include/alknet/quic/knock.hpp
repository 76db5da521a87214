// Whether a QUIC server can be reached, asked with one packet of a version that nobody speaks
// (RFC 9000 section 6.3). It answers with the versions that it does (RFC 8999 section 6), and keeps
// nothing of it: next to a handshake that costs hardly anything, and proves as little.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <vector>

namespace alknet::quic {

/// A server answers no smaller one (RFC 9000 section 5.2.2).
inline constexpr std::size_t kKnockBytes = 1200;

/// One packet to each, from a socket of its own; whether any of them was answered within `timeout`.
/// `network` outlives it. Errors: kCancelled.
task<result<bool>> knock(Loop& loop, net::Network& network, std::vector<SocketAddress> remotes,
                         Duration timeout);

}  // namespace alknet::quic
