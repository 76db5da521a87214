// Play: nodes, traffic, faults, and what must be true when they have ended.
#pragma once

#include <memory>
#include <vector>

#include "faults.hpp"
#include "node.hpp"

namespace alknet::sim {

struct PlayOptions {
    std::size_t nodes = 2;
    std::size_t nodes_behind_nat = 0;  // the last ones; they call and are not called
    std::size_t calls_per_node = 4;
    std::size_t operations_per_call = 6;
    std::uint64_t bytes_max = 200'000;
    double tcp = 0.25;        // share of the calls that go over TLS on TCP
    bool narrow = false;      // windows that one packet fills, and one stream at a time
    bool keep_alive = false;  // by all; else by half of them
    bool migrate = false;     // clients move to other ports
    bool strict = true;       // no established QUIC connection may fail
    bool roaming = false;     // Ledger::set_roaming
    Duration fault_time = std::chrono::seconds(30);
    FaultOptions faults;
};

/// From the start of the nodes to the last check.
void play(Context& context, const PlayOptions& options);

}  // namespace alknet::sim
