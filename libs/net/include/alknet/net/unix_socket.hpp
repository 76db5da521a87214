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
/// has come in its place. A socket file that no process has
/// any more is replaced. A path of more than 107 octets is reached through its
/// directory, which needs /proc. Errors: kAddressInUse; kAddressInvalid (the name alone is too
/// long); kIo.
result<std::unique_ptr<UnixListener>> listen_unix(Loop& loop, const std::filesystem::path& path);

/// The same as a descriptor in blocking mode, for another process to accept from. The file stays.
result<UniqueFd> bind_unix(const std::filesystem::path& path, int backlog);

/// Does not wait: either somebody listens and has room, or not. Errors: kUnreachable,
/// kAddressInvalid, kIo.
result<UnixStream> connect_unix(Loop& loop, const std::filesystem::path& path);

/// What a path of somebody else's leads to, held, so that it can be asked whether he may have it:
/// whatever is renamed or linked afterwards changes nothing.
struct UnixPlace {
    UniqueFd held;               // the socket; where one listens, the directory that it will be in
    std::filesystem::path real;  // absolute and without links
};

/// A socket to connect to. Errors: kAddressInvalid for a path that is not absolute; kUnreachable if
/// there is no socket.
result<UnixPlace> find_unix(const std::filesystem::path& path);
/// A name to listen at, in a directory that is there. Errors: kAddressInvalid; kIo.
result<UnixPlace> place_unix(const std::filesystem::path& path);

/// As with a path.
result<UnixStream> connect_unix(Loop& loop, const UnixPlace& place);
/// As with a path, but for a file that is there: it is replaced only if it is a socket that this
/// function made for this user, and that no process has any more. Nobody is connected to in order
/// to find that out.
result<std::unique_ptr<UnixListener>> listen_unix(Loop& loop, UnixPlace place);

}  // namespace alknet::net
