#include <alknet/base/causes.hpp>
#include <alknet/net/network.hpp>

namespace alknet::net {

SendOutcome UdpSocket::send_all(std::span<const DatagramBatch> batches) noexcept {
    for (std::size_t i = 0; i < batches.size(); ++i) {
        if (const SendStatus status = send(batches[i]); status != SendStatus::sent) {
            return {i, status};
        }
    }
    return {batches.size(), SendStatus::sent};
}

result<std::unique_ptr<TcpListener>> Network::listen_tcp_shared(Loop& loop,
                                                                const SocketAddress& local,
                                                                const PortShare& share) {
    if (share.count > 1) {
        return fail(causes::kNotSupported, "several sockets on " + local.to_string());
    }
    return listen_tcp(loop, local);
}

}  // namespace alknet::net
