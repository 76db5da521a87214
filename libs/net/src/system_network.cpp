#include <alknet/net/network.hpp>

#include "resolver.hpp"
#include "system_tcp.hpp"
#include "system_udp.hpp"

namespace alknet::net {

namespace {

class SystemNetwork final : public Network {
public:
    result<std::unique_ptr<UdpSocket>> bind_udp(Loop& loop, const SocketAddress& local,
                                                const UdpOptions& options) override {
        return SystemUdpSocket::bind(loop, local, options);
    }

    result<std::unique_ptr<TcpListener>> listen_tcp(Loop& loop,
                                                    const SocketAddress& local) override {
        return listen_system_tcp(loop, local);
    }

    result<std::unique_ptr<TcpListener>> listen_tcp_shared(Loop& loop, const SocketAddress& local,
                                                           const PortShare& share) override {
        return listen_system_tcp(loop, local, share);
    }

    task<result<TcpStream>> connect_tcp(Loop& loop, SocketAddress remote) override {
        return connect_system_tcp(loop, remote);
    }

    task<result<std::vector<SocketAddress>>> resolve(Loop& loop, std::string host,
                                                     std::uint16_t port) override {
        return resolver_.resolve(loop, std::move(host), port);
    }

private:
    Resolver resolver_{system_lookup};
};

}  // namespace

std::unique_ptr<Network> make_system_network() {
    return std::make_unique<SystemNetwork>();
}

}  // namespace alknet::net
