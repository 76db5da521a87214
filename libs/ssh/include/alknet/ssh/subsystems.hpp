// What a `session` channel may lead to in the place of a command: services of the node, by the name
// that clients ask for (`ssh -s NODE NAME`, `sftp NODE`).
#pragma once

#include <alknet/core/auth.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/task.hpp>
#include <functional>
#include <map>
#include <string>

namespace alknet::ssh {

struct Subsystem {
    std::string scope;  // that whoever asks for it needs
    /// Serves one channel, on its session's loop, until the client has no more to say: what the
    /// client writes and reads is `stream`. Cancelled when the client has gone, or may not use it
    /// any more. An error is told to the client in words, with the exit status 1.
    std::function<task<result<void>>(ByteStream& stream, Identity identity)> serve;
};

/// Whoever may use one of them gets a `session`, also where nothing is run.
struct Subsystems {
    std::map<std::string, Subsystem, std::less<>> by_name;
};

}  // namespace alknet::ssh
