// TCP sockets of the operating system.
#pragma once

#include <alknet/net/network.hpp>
#include <memory>

namespace alknet::net {

result<std::unique_ptr<TcpListener>> listen_system_tcp(Loop& loop, const SocketAddress& local,
                                                       const PortShare& share = {});
task<result<TcpStream>> connect_system_tcp(Loop& loop, SocketAddress remote);

}  // namespace alknet::net
