// Writing packets: at the end of a turn, at most what may be sent in one go (the send quantum);
// ngtcp2's timer brings us back when the pacing allows more. Control frames are ngtcp2's and come
// first in every packet; datagrams come before streams; streams take turns, packet by packet.
#include "connection.hpp"
#include "endpoint.hpp"
#include "native_address.hpp"
#include "packet_batch.hpp"

#include <algorithm>
#include <alknet/base/mutation.hpp>
#include <array>

namespace alknet::quic {

namespace {

/// Blocks of a stream that go into one packet: it touches three of the smallest at most.
constexpr std::size_t kViewsMax = 4;

}  // namespace

void ConnectionImpl::flush() noexcept {
    const auto self = shared_from_this();
    if (conn_ == nullptr) {
        return;
    }
    // After close() nothing goes out but the close itself: the resets of the streams that it ends
    // would overtake its code. Only what ends the handshake comes first.
    const bool last_flight = phase_ != Phase::handshake && !flight_sent_;
    if (unsent_packets_.empty() && (!close_pending_ || last_flight)) {
        write_packets();
        flight_sent_ = last_flight || flight_sent_;
    }
    if (conn_ == nullptr) {
        return;
    }
    if (close_pending_) {
        send_own_close();
    } else if (unsent_packets_.empty()) {
        arm_timer();
    }
}

void ConnectionImpl::on_writable() {
    const auto self = shared_from_this();
    const Bytes packets = std::move(unsent_packets_);
    unsent_packets_.clear();
    unsent_batch_.data = packets;
    if (phase_ == Phase::gone || !send(unsent_batch_)) {
        return;
    }
    request_flush();
}

bool ConnectionImpl::send(const net::DatagramBatch& batch) {
    LocalSocket* through = socket_;
    for (LocalSocket* extra : extra_sockets_) {
        if (extra->address() == batch.local) {
            through = extra;
        }
    }
    const net::SendStatus status = through->send(batch, *this);
    if (status == net::SendStatus::too_large && conn_ != nullptr) {
        // A probe for a larger size may be; anything else means that the path became narrower.
        const std::size_t size = batch.segment_bytes != 0 ? batch.segment_bytes : batch.data.size();
        if (size <= ngtcp2_conn_get_path_max_tx_udp_payload_size(conn_.get())) {
            progress_.narrow(loop_.now());
        }
    }
    if (status != net::SendStatus::would_block) {
        return true;
    }
    unsent_packets_ = to_bytes(batch.data);
    unsent_batch_ = batch;
    return false;
}

void ConnectionImpl::note_progress() noexcept {
    ngtcp2_conn_info info{};
    ngtcp2_conn_get_conn_info(conn_.get(), &info);
    progress_.observe(info.bytes_in_flight, loop_.now());
}

std::size_t ConnectionImpl::packet_max() noexcept {
    if (ALKNET_MUTATION(ignore_black_hole)) {
        return ngtcp2_conn_get_max_tx_udp_payload_size(conn_.get());
    }
    const Duration probe_timeout(static_cast<Duration::rep>(ngtcp2_conn_get_pto(conn_.get())));
    return progress_.packet_max(ngtcp2_conn_get_max_tx_udp_payload_size(conn_.get()), probe_timeout,
                                loop_.now());
}

void ConnectionImpl::write_packets() {
    const std::size_t largest = packet_max();
    drop_oversized_datagrams();
    PacketBatch batch(endpoint_->packet_buffer(), socket_->segments_max());
    const std::size_t quantum = batch.whole(ngtcp2_conn_get_send_quantum(conn_.get()), largest);
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    PacketTarget target{info_.local, remote_, 0};
    std::size_t total = 0;
    bool socket_takes = true;
    while (total < quantum && socket_takes) {
        if (!batch.has_room(largest)) {
            socket_takes = send(batch.view());
            batch.clear();
            continue;
        }
        ngtcp2_pkt_info info{};
        const ngtcp2_ssize written = write_packet(batch.space().first(largest), &path.path, &info);
        if (written < 0) {
            fail(static_cast<int>(written));
            return;
        }
        if (written == 0) {
            break;
        }
        const auto size = static_cast<std::size_t>(written);
        total += size;
        ++stats_.packets_sent;
        target = {to_address(path.path.local), to_address(path.path.remote), info.ecn};
        switch (batch.add(size, target)) {
            case PacketBatch::Fit::open:
                break;
            case PacketBatch::Fit::full:
                socket_takes = send(batch.view());
                batch.clear();
                break;
            case PacketBatch::Fit::other:  // if the socket is full it is lost, as on the way
                socket_takes = send(batch.view());
                batch.restart(size, target);
                break;
        }
    }
    if (!batch.empty() && socket_takes) {
        (void)send(batch.view());
    }
    ngtcp2_conn_update_pkt_tx_time(conn_.get(), now());
    const std::uint64_t in_flight = progress_.in_flight();
    note_progress();
    if (update_unsent_ && progress_.in_flight() > in_flight) {
        update_unsent_ = false;
        renew_keep_alive();
    }
}

ngtcp2_ssize ConnectionImpl::write_packet(MutableBytes into, ngtcp2_path* path,
                                          ngtcp2_pkt_info* info) {
    // Each step adds one frame to the packet, until ngtcp2 says that the packet is complete.
    const bool streams_too = phase_ != Phase::handshake;
    for (;;) {
        ngtcp2_ssize outcome = 0;
        Step step = Step::packet;
        if (streams_too && !datagrams_out_.empty()) {
            step = write_datagram(into, path, info, outcome);
        } else if (streams_too && !sendable_.empty()) {
            step = write_stream(into, path, info, outcome);
        } else {
            return ngtcp2_conn_writev_stream(conn_.get(), path, info, octets(into), into.size(),
                                             nullptr, NGTCP2_WRITE_STREAM_FLAG_NONE, -1, nullptr, 0,
                                             now());
        }
        if (step == Step::packet) {
            return outcome;
        }
    }
}

ConnectionImpl::Step ConnectionImpl::write_datagram(MutableBytes into, ngtcp2_path* path,
                                                    ngtcp2_pkt_info* info, ngtcp2_ssize& outcome) {
    const BytesView data = datagrams_out_.front();
    ngtcp2_vec view{const_cast<std::uint8_t*>(octets(data)), data.size()};
    int accepted = 0;
    outcome = ngtcp2_conn_writev_datagram(conn_.get(), path, info, octets(into), into.size(),
                                          &accepted, NGTCP2_WRITE_DATAGRAM_FLAG_MORE, 0, &view,
                                          data.empty() ? 0 : 1, now());
    if (accepted != 0) {
        stats_.bytes_sent += data.size();
        (void)datagrams_out_.pop();
    }
    return outcome == NGTCP2_ERR_WRITE_MORE ? Step::more : Step::packet;
}

ConnectionImpl::Step ConnectionImpl::write_stream(MutableBytes into, ngtcp2_path* path,
                                                  ngtcp2_pkt_info* info, ngtcp2_ssize& outcome) {
    Stream& stream = *sendable_.front();
    std::array<BytesView, kViewsMax> views;
    const Stream::Outgoing next = stream.outgoing(views);
    std::array<ngtcp2_vec, kViewsMax> native{};
    for (std::size_t i = 0; i < next.views; ++i) {
        native[i] = {const_cast<std::uint8_t*>(octets(views[i])), views[i].size()};
    }
    const std::uint32_t flags =
        NGTCP2_WRITE_STREAM_FLAG_MORE | (next.fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0U);
    ngtcp2_ssize taken = -1;
    outcome = ngtcp2_conn_writev_stream(conn_.get(), path, info, octets(into), into.size(), &taken,
                                        flags, stream.id(), native.data(), next.views, now());
    if (taken >= 0) {
        const auto size = static_cast<std::size_t>(taken);
        stats_.bytes_sent += size;
        stream.sent(size, next.fin);
    }
    switch (outcome) {
        case NGTCP2_ERR_STREAM_DATA_BLOCKED:
            stream.set_blocked();
            static_cast<ListHook<SendTag>&>(stream).unlink();
            return Step::more;
        case NGTCP2_ERR_STREAM_SHUT_WR:
        case NGTCP2_ERR_STREAM_NOT_FOUND:
            static_cast<ListHook<SendTag>&>(stream).unlink();
            return Step::more;
        default:
            break;
    }
    if (taken >= 0) {  // the next stream's turn
        static_cast<ListHook<SendTag>&>(stream).unlink();
        if (stream.has_outgoing()) {
            sendable_.push_back(stream);
        }
    }
    return outcome == NGTCP2_ERR_WRITE_MORE ? Step::more : Step::packet;
}

}  // namespace alknet::quic
