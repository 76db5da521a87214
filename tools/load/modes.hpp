// What alknet_load can be; main.cpp says how each is called.
#pragma once

#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "initials.hpp"
#include "lines.hpp"

namespace alknet::load {

/// Of both sides: idle connections are there to stay.
inline constexpr Duration kIdleTimeout = std::chrono::hours(1);
inline constexpr std::size_t kConnectionsMax = 100'000;

struct ServeOptions {
    std::string directory;  // for the certificate
    Duration handshake_timeout{};
};
/// An endpoint with alknet/echo; prints its address, and answers each line with a line of figures.
result<void> serve(Loop& loop, const ServeOptions& options);

/// Each line is a number of QUIC connections to hold from then on; each has had one echo.
task<result<void>> hold_idle(Loop& loop, std::string address);

struct Strangers {
    Lines lines;
    Initials initials;
    std::uint16_t port = 0;  // of 127.0.0.1, whom they send to
    std::size_t count = 0;
};
/// `count` Initials a second from ever new addresses and ports, until standard input ends. Prints
/// how many it were for each line.
task<result<void>> flood(Loop& loop, Strangers strangers);
/// From each of `count` addresses and ports an Initial, a packet of a connection that nobody knows,
/// and one of a version that nobody speaks. Prints a line once each of these was answered.
task<result<void>> flows(Loop& loop, Strangers strangers);

}  // namespace alknet::load
