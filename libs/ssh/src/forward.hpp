// A channel that is joined to a socket, or to a program.
#pragma once

#include <alknet/rt/cancel.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/ssh/channels.hpp>
#include <memory>

#include "channel_streams.hpp"
#include "listen.hpp"
#include "program.hpp"
#include "session.hpp"

namespace alknet::ssh {

struct Session::Forward {
    ChannelId id = 0;
    TcpRoute route;
    SocketAddress resolved;
    bool to_socket = false;
    std::string path;  // of a socket, without links; before it is connected as the client says it
    std::shared_ptr<Listening> listening;  // where it came; null: it was asked for
    Event answered;                        // by the client, about one that came
    bool refused = false;
    std::shared_ptr<const void> place;     // among those that the peer may have
    std::shared_ptr<const void> entry;     // in the table of sessions
    std::unique_ptr<ByteStream> stream;    // null until it is connected
    std::unique_ptr<StreamTicket> ticket;  // for what carries its data; null: it does so itself
    std::unique_ptr<Program> program;      // null: the socket is one
    Bytes pending;                         // from the channel, for the socket; at most a window
    std::size_t pending_begin = 0;
    bool eof_in = false;
    bool closed_in = false;
    bool deaf = false;  // what comes is dropped
    Event arrived;      // pending, or the end
    WaitList window;    // waits until the channel takes more
    Cancel* pumps = nullptr;
    Cancel* down = nullptr;

    /// Whether data may come on the channel itself.
    [[nodiscard]] bool carries_itself() const noexcept {
        return ticket == nullptr || ticket->declined();
    }
    [[nodiscard]] ForwardPlace where() const noexcept {
        return to_socket ? ForwardPlace{.path = path}
                         : ForwardPlace{.host = route.host, .address = resolved};
    }
    [[nodiscard]] BytesView left() const noexcept {
        return BytesView(pending).subspan(pending_begin);
    }
};

}  // namespace alknet::ssh
