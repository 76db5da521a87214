// Standard input and output, or any two descriptors, as one ByteStream.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/stream.hpp>
#include <memory>

namespace alknet {
class Loop;
}

namespace alknet::net {

/// Takes standard input and output over: both are /dev/null from then on, so that `finish` really
/// ends the output for whoever reads it. Call it once. Errors: kIo.
result<std::unique_ptr<ByteStream>> make_stdio_stream(Loop& loop);

/// Reads `in` and writes `out`: pipes, terminals, sockets, files, devices, in any combination. They
/// are left in blocking mode, which they share with other processes, and do not block the loop,
/// except that files on a slow disk do. `finish` and `reset` close `out`, `stop` closes `in`; no
/// code goes anywhere. A pipe whose reader is gone gives kReset: the process must ignore SIGPIPE.
/// Errors: kIo.
result<std::unique_ptr<ByteStream>> make_fd_stream(Loop& loop, UniqueFd in, UniqueFd out);

}  // namespace alknet::net
