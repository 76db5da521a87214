// Unix stream sockets: how programs of one machine reach a node, with the word of the kernel on who
// is at the other end.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace alknet {
class Loop;
}

namespace alknet::net {

struct UnixStream {
    std::unique_ptr<ByteStream> stream;
    /// Of the process that connected (or listened), when it did (SO_PEERCRED).
    std::uint32_t user_id = 0;
    std::int32_t process_id = 0;
};

class UnixListener {
public:
    virtual ~UnixListener() = default;
    /// Errors: kCancelled; kIo when the process is out of descriptors (try again later).
    virtual task<result<UnixStream>> accept() = 0;
};

/// Listens at `path` with mode 0600; the file goes with the listener, unless another
/// has come in its place. A socket file that nobody
/// listens at any more is replaced. A path of more than 107 octets is reached through its
/// directory, which needs /proc. Errors: kAddressInUse; kAddressInvalid (the name alone is too
/// long); kIo.
result<std::unique_ptr<UnixListener>> listen_unix(Loop& loop, const std::filesystem::path& path);

/// The same as a descriptor in blocking mode, for another process to accept from. The file stays.
result<UniqueFd> bind_unix(const std::filesystem::path& path, int backlog);

/// Does not wait: either somebody listens and has room, or not. Errors: kUnreachable,
/// kAddressInvalid, kIo.
result<UnixStream> connect_unix(Loop& loop, const std::filesystem::path& path);

}  // namespace alknet::net
