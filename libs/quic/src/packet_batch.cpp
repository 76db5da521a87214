#include "packet_batch.hpp"

#include <algorithm>

namespace alknet::quic {

PacketBatch::Fit PacketBatch::add(std::size_t size, const PacketTarget& target) noexcept {
    if (empty()) {
        target_ = target;
        segment_ = size;
    } else if (size > segment_ || target != target_ ||
               used_ + size > net::UdpSocket::kBatchBytesMax) {
        return Fit::other;
    }
    used_ += size;
    ++count_;
    return size < segment_ || count_ == segments_max_ ? Fit::full : Fit::open;
}

std::size_t PacketBatch::whole(std::size_t quantum, std::size_t size) const noexcept {
    const std::size_t batch = std::min(segments_max_, net::UdpSocket::kBatchBytesMax / size) * size;
    return quantum < batch ? quantum : quantum - quantum % batch;
}

void PacketBatch::restart(std::size_t size, const PacketTarget& target) noexcept {
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(used_), size, buffer_.begin());
    clear();
    (void)add(size, target);
}

net::DatagramBatch PacketBatch::view() const noexcept {
    net::DatagramBatch batch;
    batch.data = buffer_.first(used_);
    batch.segment_bytes = count_ > 1 ? segment_ : 0;
    batch.local = target_.local;
    batch.remote = target_.remote;
    batch.ecn = target_.ecn;
    return batch;
}

}  // namespace alknet::quic
