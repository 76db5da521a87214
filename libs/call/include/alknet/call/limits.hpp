// What one connection may use up. A stranger may less.
#pragma once

#include <alknet/call/envelope.hpp>
#include <alknet/rt/time.hpp>
#include <chrono>
#include <cstddef>

namespace alknet::call {

struct CallLimits {
    std::size_t frame_bytes_max = kFrameBytesMax;
    std::size_t frame_bytes_anonymous_max = kFrameBytesAnonymousMax;
    std::size_t streams_max = 256;
    std::size_t streams_anonymous_max = 8;
    /// Requests whose handlers run, or whose answers were not yet taken.
    std::size_t in_flight_max = 1024;
    std::size_t in_flight_anonymous_max = 16;
    /// Calls of our own that wait for an answer.
    std::size_t pending_max = 1024;
    /// Of all streams: octets of frames that are not whole yet, and of requests in flight.
    std::size_t bytes_max = 32 << 20;
    JsonLimits json{};
    /// What a request gets that names no time, and the most that it can ask for.
    Duration timeout_default = std::chrono::seconds(30);
    Duration timeout_max = std::chrono::hours(1);
    /// While something is under way on a stream, this end says something there so often …
    Duration heartbeat = std::chrono::seconds(15);
    /// … and an end that does so too, and was then not heard for so long, is gone.
    Duration silence_max = std::chrono::seconds(45);
};

}  // namespace alknet::call
