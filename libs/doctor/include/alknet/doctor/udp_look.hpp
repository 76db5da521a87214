// Which sizes of UDP datagrams a QUIC server answers: asked with packets that look like those of a
// connection that it has forgotten (RFC 9000 section 10.3), which it answers with a stateless
// reset. Needs no cooperation and leaves no state.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <cstdint>

namespace alknet::doctor {

/// Payloads that are tried at the same time, each from a socket of its own. The first is small.
inline constexpr std::array<std::uint32_t, 7> kLookBytes = {100,  1200, 1232, 1350,
                                                            1400, 1452, 1472};
inline constexpr int kLookTries = 3;

struct UdpLook {
    std::uint32_t small = 0;  // 100 if that was answered
    std::uint32_t max = 0;    // the largest that was answered; 0 if none was
    bool refused = false;     // the network said that nobody is there
};

/// Asks again each `timeout` / kLookTries, until the largest is answered. Errors: kCancelled, kIo.
task<result<UdpLook>> look_with_udp(Loop& loop, net::Network& network, SocketAddress remote,
                                    Duration timeout);

}  // namespace alknet::doctor
