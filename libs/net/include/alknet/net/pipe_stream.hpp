// Pipes and terminals as streams: the node's ends of what the programs that it starts read and
// write. The descriptors are non-blocking, unlike those of stdio_stream.hpp.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/stream.hpp>
#include <memory>

namespace alknet {
class Loop;
}

namespace alknet::net {

/// Either may be none: then nothing is to be read, or written. `finish` closes `out`, and of a
/// terminal whatever else there is stays open. The end of a terminal (EIO) reads as that of a pipe.
/// Errors: kIo.
result<std::unique_ptr<ByteStream>> make_pipe_stream(Loop& loop, UniqueFd in, UniqueFd out);

}  // namespace alknet::net
