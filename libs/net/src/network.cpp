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

}  // namespace alknet::net
