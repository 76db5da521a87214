// Datagrams for connections of another loop, where several loops share the port.
#include "endpoint.hpp"

namespace alknet::quic {

void EndpointImpl::on_steered(const net::DatagramBatch& datagram) noexcept {
    loop_.refresh_now();
    ++stats_.datagrams_received;
    on_datagram({datagram.data, datagram, *sockets_.front()});
}

bool EndpointImpl::is_elsewhere(const Arrival& arrival, BytesView dcid) {
    const auto owner = loop_of(dcid, options_.loop_count);
    if (!owner || *owner == options_.loop_index) {
        return false;
    }
    // It must not be answered here: the reset that would say "unknown" is one that the peer
    // believes, since all loops share the secret.
    net::DatagramBatch datagram = arrival.batch;
    datagram.data = arrival.data;
    if (options_.steering->hand_on(options_.steering, *owner, local_address(), datagram)) {
        ++stats_.datagrams_handed_on;
    } else {
        ++stats_.datagrams_dropped;
    }
    return true;
}

}  // namespace alknet::quic
