// An address, or a socket, at which the node listens for a client.
#pragma once

#include <alknet/net/network.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/ssh/forward_place.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "forward_request.hpp"
#include "session.hpp"

namespace alknet::ssh {

struct Session::Listening {
    ListenRequest request;  // as the client has said it, which it is told again; its port is the
                            // one that was found, if that was 0
    SocketAddress bound{};
    std::string path{};                       // of a socket, without links
    std::optional<pid_t> agent_of{};          // the process whose session asks the client's agent
    std::shared_ptr<const void> directory{};  // that was made for the socket, and goes after it
    std::unique_ptr<net::TcpListener> listener{};
    std::unique_ptr<net::UnixListener> socket{};
    std::shared_ptr<const void> entry{};   // among the listeners of all
    std::shared_ptr<const void> place{};   // among those of the identity
    std::shared_ptr<const void> listed{};  // in the table of sessions
    Cancel* accepting = nullptr;
    bool stopped = false;
    Event closed{};

    [[nodiscard]] ForwardPlace where() const noexcept {
        return {.host = request.host, .address = bound, .path = path};
    }
    /// Of a socket without addresses.
    task<result<net::TcpStream>> accept() const;
    void close() noexcept {
        listener.reset();
        socket.reset();
        directory.reset();
    }
};

[[nodiscard]] inline std::string text_of(const ForwardPlace& place) {
    return place.path.empty() ? place.address.to_string() : std::string(place.path);
}

/// A global request that waits for its turn: they are answered in their order.
struct Session::Global {
    bool wants_reply = false;
    std::optional<ListenRequest> request{};  // nullopt: it is something else
    std::optional<StreamBinding> binding{};  // of one that wants channel-streams
};

}  // namespace alknet::ssh
