#include "sources.hpp"

#include <algorithm>

namespace alknet::load {

namespace {

/// 127.1.0.0 and on: clear of what programs use.
constexpr std::uint32_t kFirstAddress = 0x7f010000;

}  // namespace

result<Sources> Sources::open(Loop& loop, net::UdpSocket::Receiver* receiver) {
    const auto network = net::make_system_network();
    Sources sources;
    for (std::size_t i = 0; i < kPorts; ++i) {
        ALKNET_TRY(auto socket,
                   network->bind_udp(loop, SocketAddress::v4({0, 0, 0, 0}, 0), net::UdpOptions{}));
        socket->set_receiver(receiver);
        sources.sockets_.push_back(std::move(socket));
    }
    return sources;
}

net::SendStatus Sources::send(std::size_t index, const SocketAddress& to, BytesView datagram) {
    net::UdpSocket& socket = *sockets_[index % kPorts];
    const auto address = static_cast<std::uint32_t>(kFirstAddress + index / kPorts);
    net::DatagramBatch batch;
    batch.data = datagram;
    batch.local = SocketAddress::v4(
        {static_cast<std::uint8_t>(address >> 24U), static_cast<std::uint8_t>(address >> 16U),
         static_cast<std::uint8_t>(address >> 8U), static_cast<std::uint8_t>(address)},
        socket.local_address().port());
    batch.remote = to;
    return socket.send(batch);
}

std::size_t Sources::index_of(const SocketAddress& local) const {
    const auto& ip = local.ip();
    const std::uint32_t address = std::uint32_t{ip[0]} << 24U | std::uint32_t{ip[1]} << 16U |
                                  std::uint32_t{ip[2]} << 8U | std::uint32_t{ip[3]};
    const auto socket = std::ranges::find(sockets_, local.port(), [](const auto& candidate) {
        return candidate->local_address().port();
    });
    return (address - kFirstAddress) * kPorts + static_cast<std::size_t>(socket - sockets_.begin());
}

}  // namespace alknet::load
