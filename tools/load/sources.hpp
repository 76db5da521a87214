// Many addresses and ports on this machine: the whole of 127.0.0.0/8 is its own.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/loop.hpp>
#include <cstddef>
#include <memory>
#include <vector>

namespace alknet::load {

class Sources {
public:
    static constexpr std::size_t kPorts = 16;

    /// Errors: kIo.
    static result<Sources> open(Loop& loop, net::UdpSocket::Receiver* receiver);

    /// From source `index`, a number below 2^24; each is another address or port.
    net::SendStatus send(std::size_t index, const SocketAddress& to, BytesView datagram);
    /// Which source has `local`; only for those that are ours.
    [[nodiscard]] std::size_t index_of(const SocketAddress& local) const;

private:
    std::vector<std::unique_ptr<net::UdpSocket>> sockets_;
};

}  // namespace alknet::load
