// A stream between two loops: what is written on one is read on the other. For what has to be
// served on another loop than the one on which it arrived.
#pragma once

#include <alknet/net/stream.hpp>
#include <alknet/rt/loop.hpp>
#include <cstddef>
#include <memory>

namespace alknet::net {

/// Each end is used and destroyed on its own loop's thread; until its first use `far` may be
/// carried there, or be destroyed anywhere if that loop does not run any more. Reads and writes
/// fail with kClosed when the other end has been destroyed without having finished; what it said
/// before comes first.
struct LoopBridge {
    /// Octets that are held in each direction at most; a writer waits beyond them.
    static constexpr std::size_t kBufferBytes = 64 << 10;

    std::unique_ptr<BiStream> near;
    std::unique_ptr<BiStream> far;
};

/// Both loops outlive their ends.
[[nodiscard]] LoopBridge make_loop_bridge(Loop& near, Loop& far);

}  // namespace alknet::net
