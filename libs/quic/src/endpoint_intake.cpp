// What comes in: which connection a datagram is for, and what becomes of one that is for none.
#include "endpoint.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace alknet::quic {

void EndpointImpl::on_datagrams(LocalSocket& socket,
                                std::span<const net::DatagramBatch> batches) noexcept {
    loop_.refresh_now();
    for (const net::DatagramBatch& batch : batches) {
        BytesView left = batch.data;
        const std::size_t step = batch.segment_bytes != 0 ? batch.segment_bytes : left.size();
        do {
            const BytesView datagram = left.first(std::min(step, left.size()));
            left = left.subspan(datagram.size());
            ++stats_.datagrams_received;
            on_datagram({datagram, batch, socket});
        } while (!left.empty());
    }
}

bool EndpointImpl::speaks(std::uint32_t version) const noexcept {
    return std::ranges::any_of(options_.transport.versions,
                               [version](Version ours) { return to_native(ours) == version; });
}

void EndpointImpl::on_datagram(const Arrival& arrival) {
    if (arrival.data.empty()) {
        ++stats_.datagrams_dropped;
        return;
    }
    ngtcp2_version_cid ids{};
    const int decoded = ngtcp2_pkt_decode_version_cid(&ids, octets(arrival.data),
                                                      arrival.data.size(), kConnectionIdBytes);
    if (decoded == NGTCP2_ERR_VERSION_NEGOTIATION) {
        send_version_negotiation(arrival, ids);
        return;
    }
    if (decoded != 0) {
        ++stats_.datagrams_dropped;
        return;
    }
    const BytesView dcid = view_octets(ids.dcid, ids.dcidlen);
    if (ConnectionImpl* connection = routes_.find(dcid)) {
        connection->receive(arrival.data, arrival.batch, arrival.socket);
    } else if (options_.steering != nullptr && is_elsewhere(arrival, dcid)) {
        return;
    } else if (ids.scid == nullptr) {
        on_unknown_short(arrival, dcid);
    } else if (ids.version != 0 && !speaks(ids.version)) {
        send_version_negotiation(arrival, ids);
    } else {
        on_initial(arrival);
    }
}

void EndpointImpl::on_unknown_short(const Arrival& arrival, BytesView dcid) {
    if (arrival.data.size() > kResetTokenBytes) {
        const BytesView token = arrival.data.last(kResetTokenBytes);
        if (ConnectionImpl* connection = routes_.find_token(token)) {
            connection->receive(arrival.data, arrival.batch, arrival.socket);
            return;
        }
    }
    ++stats_.datagrams_dropped;
    // Only a server's secret is known to the next run of the program.
    if (options_.server == nullptr || arrival.data.size() < kResetTriggerBytesMin ||
        !resets_.admit(loop_.now())) {
        return;
    }
    std::array<std::byte, kResetBytesMax> packet;
    const ResetToken token = derive_reset_token(options_.secrets.stateless_reset, dcid);
    ++stats_.stateless_resets_sent;
    answer(arrival, write_stateless_reset(packet, token, arrival.data.size()),
           "quic.stateless_reset");
}

void EndpointImpl::send_version_negotiation(const Arrival& arrival, const ngtcp2_version_cid& ids) {
    ++stats_.datagrams_dropped;
    if (options_.server == nullptr || arrival.data.size() < NGTCP2_MAX_UDP_PAYLOAD_SIZE) {
        return;
    }
    std::vector<std::uint32_t> versions;
    for (const Version version : options_.transport.versions) {
        versions.push_back(to_native(version));
    }
    // One that nobody speaks, so that clients learn to ignore what they do not know.
    versions.push_back((randombytes_random() & ~0x0f0f0f0fU) | NGTCP2_RESERVED_VERSION_MASK);
    constexpr std::size_t kHeaderMax = 1 + 4 + 2 * (1 + 255);
    std::array<std::byte, kHeaderMax + 16> packet;
    const auto size = ngtcp2_pkt_write_version_negotiation(
        octets(MutableBytes(packet)), packet.size(),
        static_cast<std::uint8_t>(randombytes_uniform(256)), ids.scid, ids.scidlen, ids.dcid,
        ids.dcidlen, versions.data(), versions.size());
    if (size > 0) {
        ++stats_.version_negotiations_sent;
        answer(arrival, BytesView(packet).first(static_cast<std::size_t>(size)),
               "quic.version_negotiation");
    }
}

void EndpointImpl::answer(const Arrival& arrival, BytesView packet,
                          std::string_view event) noexcept {
    options_.log.debug(event, {{"remote_addr", arrival.batch.remote.to_string()}});
    net::DatagramBatch batch;
    batch.data = packet;
    batch.local = arrival.batch.local;
    batch.remote = arrival.batch.remote;
    arrival.socket.send(batch);
}

}  // namespace alknet::quic
