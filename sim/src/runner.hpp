// Runs seeds, each in a process of its own: a crash, a hang or a leak is a result like any other,
// and a seed that runs alone does exactly what it did among others.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace alknet::sim {

struct Request {
    std::uint64_t seed = 1;
    std::string scenario;  // empty: the seed decides
    std::string mutation;  // empty: none
    bool verbose = false;
    int repeat = 1;  // runs in one process, which must leave the same trace
};

struct Outcome {
    Request request;
    bool passed = false;
    std::string message;  // the failures
    std::uint64_t trace_hash = 0;
    std::uint64_t datagrams = 0;
    std::uint64_t virtual_milliseconds = 0;
    std::uint64_t real_milliseconds = 0;
    std::uint64_t mutation_struck = 0;
};

/// The longest that one seed may take, in real time, before it counts as hung.
inline constexpr unsigned kRealSecondsMax = 180;

/// Here, in a new thread.
[[nodiscard]] Outcome run_here(const Request& request);

/// In child processes, at most `jobs` at a time. `each` is told of every outcome as it comes.
void run_all(const std::vector<Request>& requests, int jobs,
             const std::function<void(const Outcome& outcome)>& each);

/// "alknet_sim --seed 7": what replays it.
[[nodiscard]] std::string replay_command(const Request& request);

}  // namespace alknet::sim
