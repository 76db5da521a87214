// Joins a peer's stream with a connection to a program: both ways, at the pace of whoever is
// slower, each direction with its own end.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/task.hpp>

namespace alknet::exec {

/// Ends well when both directions have: a program that closes its connection has ended what it
/// says, and wants no more. Errors: what broke the peer's stream; kCancelled. After an error the
/// program's connection is of no further use.
task<result<void>> relay(BiStream& peer, BiStream& program);

}  // namespace alknet::exec
