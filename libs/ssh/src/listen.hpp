// An address at which the node listens for a client.
#pragma once

#include <alknet/net/network.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/wait.hpp>
#include <memory>
#include <string>

#include "session.hpp"

namespace alknet::ssh {

struct Session::Listening {
    std::string host;        // as the client has said it, which it is told again
    std::uint16_t port = 0;  // likewise, or what was found if that was 0
    SocketAddress bound;
    std::unique_ptr<net::TcpListener> listener;
    std::shared_ptr<const void> entry;  // among the listeners of all
    std::shared_ptr<const void> place;  // among those of the identity
    Cancel* accepting = nullptr;
    bool stopped = false;
    Event closed;
};

/// A global request that waits for its turn: they are answered in their order.
struct Session::Global {
    enum class Kind : std::uint8_t { unknown, listen, cancel };
    Kind kind = Kind::unknown;
    bool wants_reply = false;
    std::string host;
    std::uint16_t port = 0;
};

}  // namespace alknet::ssh
