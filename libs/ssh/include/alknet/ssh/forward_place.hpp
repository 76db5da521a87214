// Where a peer wants the node to connect, or to listen: what its rules are asked about.
#pragma once

#include <alknet/net/socket_address.hpp>
#include <string_view>

namespace alknet::ssh {

/// An address or a unix socket. The views live as long as the question.
struct ForwardPlace {
    std::string_view host{};  // as the peer says it; of a socket nothing
    SocketAddress address{};  // what it has turned out to be
    std::string_view path{};  // of a socket, without links; empty: it is none
};

}  // namespace alknet::ssh
