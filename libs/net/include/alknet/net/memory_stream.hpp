// Two ends of a duplex byte stream in memory, with the back-pressure, half-close and reset of a
// real one, and faults on demand. Both ends live on the same loop.
#pragma once

#include <alknet/net/stream.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

namespace alknet::net {

struct MemoryStreamOptions {
    static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

    /// What one direction holds before its writer waits. At least 1.
    std::size_t buffer_bytes = 64 << 10;
    /// Most octets that one read, or one try_write, moves. At least 1.
    std::size_t chunk_bytes_max = std::numeric_limits<std::size_t>::max();
    /// Each end breaks in both directions once its reader has got, or its writer has given, so many
    /// octets: both ends then see kReset, as after a TCP reset.
    std::uint64_t break_after_read_bytes = kNever;
    std::uint64_t break_after_written_bytes = kNever;
};

using MemoryStreamPair = std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>>;

/// `first` and `second` are the options of the two ends; `buffer_bytes` is of the direction in
/// which that end writes. A peer's reset code arrives as the code of kReset; what it had written
/// and was not yet read is lost, as on QUIC.
[[nodiscard]] MemoryStreamPair make_memory_streams(const MemoryStreamOptions& first = {},
                                                   const MemoryStreamOptions& second = {});

}  // namespace alknet::net
