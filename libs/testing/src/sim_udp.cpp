#include <algorithm>
#include <alknet/base/assert.hpp>

#include "fabric.hpp"

namespace alknet::sim {

SimUdpSocket::SimUdpSocket(Fabric& fabric, SimProcess& process, SocketAddress local,
                           std::size_t buffer, bool offload)
    : fabric_(fabric),
      process_(&process),
      local_(local),
      buffer_bytes_max_(buffer),
      offload_(offload) {
    process.state().udp.push_back(this);
    if (!process.detached()) {
        fabric.ports(process.host()).udp.emplace(local, this);
    }
}

SimUdpSocket::~SimUdpSocket() {
    detach();
    *alive_ = false;
    std::erase(process_->state().udp, this);
    std::erase(process_->state().readable, this);
}

void SimUdpSocket::detach() noexcept {
    if (!detached_) {
        detached_ = true;
        auto& table = fabric_.ports(process_->host()).udp;
        const auto found = table.find(local_);
        if (found != table.end() && found->second == this) {
            table.erase(found);
        }
    }
}

bool SimUdpSocket::valid(const net::DatagramBatch& batch) const noexcept {
    const bool reaches = batch.remote.family() == local_.family() ||
                         (local_.is_any() && local_.family() == SocketAddress::Family::v6);
    if (!reaches || batch.remote.port() == 0 || batch.data.size() > kBatchBytesMax ||
        batch.ecn > 3) {
        return false;
    }
    if (batch.segment_bytes == 0) {
        return true;
    }
    return batch.segment_bytes * segments_max() >= batch.data.size();
}

net::SendStatus SimUdpSocket::send(const net::DatagramBatch& batch) noexcept {
    if (detached_) {
        return net::SendStatus::sent;
    }
    if (!valid(batch)) {
        ++fabric_.stats.sends_invalid;
        return net::SendStatus::failed;
    }
    SimHost& host = process_->host();
    const std::size_t segment = batch.segment_bytes == 0 ? batch.data.size() : batch.segment_bytes;
    if (std::min(segment, batch.data.size()) > host.udp_payload_bytes_max_) {
        return net::SendStatus::too_large;
    }
    if (blocked_ || fabric_.random.chance(host.send_blocked_)) {
        if (!blocked_) {
            blocked_ = true;
            become_writable();
        }
        return net::SendStatus::would_block;
    }
    SocketAddress from = local_;
    if (local_.is_any()) {
        const bool v4 = batch.remote.family() == SocketAddress::Family::v4;
        from = batch.local.family() == batch.remote.family() && !batch.local.is_any()
                   ? batch.local
                   : (v4 ? host.v4(0) : host.v6(0));
        from = from.with_port(local_.port());
    }
    BytesView rest = batch.data;
    do {
        const std::size_t size = std::min(segment, rest.size());
        fabric_.send_datagram(host, {from, batch.remote, batch.ecn, to_bytes(rest.first(size))});
        rest = rest.subspan(size);
    } while (!rest.empty());
    return net::SendStatus::sent;
}

void SimUdpSocket::become_writable() {
    const Duration later =
        fabric_.random.duration(std::chrono::microseconds(50), std::chrono::milliseconds(2));
    fabric_.at(fabric_.now + later, [this, alive = alive_] {
        if (*alive) {
            blocked_ = false;
            writable_ = true;
            mark_readable();
        }
    });
}

void SimUdpSocket::mark_readable() {
    auto& state = process_->state();
    state.touched = true;
    if (std::ranges::find(state.readable, this) == state.readable.end()) {
        state.readable.push_back(this);
    }
}

void SimUdpSocket::refused(const SocketAddress& remote) {
    if (refusals_.size() < kRefusalsMax) {
        refusals_.push_back(remote);
        mark_readable();
    }
}

void SimUdpSocket::receive(Datagram datagram) {
    if (received_bytes_ + datagram.data.size() > buffer_bytes_max_) {
        ++fabric_.stats.datagrams_over_limit;
        fabric_.trace("buffer full", datagram.from, datagram.to, datagram.data.size());
        return;
    }
    ++fabric_.stats.datagrams_delivered;
    fabric_.trace("deliver", datagram.from, datagram.to, datagram.data.size());
    received_bytes_ += datagram.data.size();
    received_.push_back(std::move(datagram));
    mark_readable();
}

bool SimUdpSocket::coalesces(const Datagram& first, const Datagram& next,
                             std::size_t bytes) const noexcept {
    return offload_ && first.from == next.from && first.to == next.to && first.ecn == next.ecn &&
           !next.data.empty() && next.data.size() <= first.data.size() &&
           bytes % first.data.size() == 0 && bytes + next.data.size() <= kBatchBytesMax &&
           bytes / first.data.size() < kSegmentsMax;
}

void SimUdpSocket::dispatch() {
    const auto alive = alive_;
    if (std::exchange(writable_, false) && receiver_ != nullptr) {
        receiver_->on_writable();
        if (!*alive) {
            return;
        }
    }
    const std::vector<SocketAddress> refusals = std::exchange(refusals_, {});
    for (const SocketAddress& remote : refusals) {
        if (*alive && receiver_ != nullptr) {
            receiver_->on_unreachable(remote);
        }
    }
    if (*alive && !received_.empty() && receiver_ != nullptr) {
        hand_over();
    }
}

void SimUdpSocket::hand_over() {
    std::vector<Bytes> buffers;
    std::vector<net::DatagramBatch> batches;
    std::size_t taken = 0;
    while (taken < received_.size() && batches.size() < kBatchesPerCall) {
        Datagram& first = received_[taken++];
        Bytes bytes = first.data;
        while (taken < received_.size() && !bytes.empty() &&
               coalesces(first, received_[taken], bytes.size())) {
            const Bytes& next = received_[taken++].data;
            bytes.insert(bytes.end(), next.begin(), next.end());
        }
        buffers.push_back(std::move(bytes));
        net::DatagramBatch batch{.data = buffers.back(), .local = first.to, .remote = first.from};
        batch.ecn = first.ecn;
        batch.segment_bytes = batch.data.size() > first.data.size() ? first.data.size() : 0;
        batches.push_back(batch);
    }
    for (std::size_t i = 0; i < taken; ++i) {
        received_bytes_ -= received_[i].data.size();
    }
    received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (!received_.empty()) {
        mark_readable();
    }
    receiver_->on_datagrams(batches);
}

}  // namespace alknet::sim
