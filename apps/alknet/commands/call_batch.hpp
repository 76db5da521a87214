// alknet call --batch: many calls over one connection, as lines of JSON.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/client.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

#include "cli.hpp"

namespace alknet::app {

/// Octets of a line; what is longer is answered with an error.
inline constexpr std::size_t kBatchLineBytesMax = 16 << 20;

struct BatchOptions {
    std::string operation{};  // of each line, which is its input then; empty: the line says it
    Duration timeout{};       // of each call
    std::uint32_t parallel = 1;
};

/// Reads standard input to its end and answers each line with one, in the order in which the calls
/// end. Gives how many of them failed. Errors: kOutputClosed; kIo; kCancelled.
task<result<std::uint64_t>> call_batch(Loop& loop, call::CallClient& client, BatchOptions options);

}  // namespace alknet::app
