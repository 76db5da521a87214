// ClosingPacket: the CONNECTION_CLOSE that was sent, repeated while packets still come in: at the
// first, the second, the fourth, ... of them, and never more octets than came (RFC 9000 section
// 10.2.1). Sans-I/O.
#pragma once

#include "packet_batch.hpp"

#include <alknet/base/bytes.hpp>
#include <bit>
#include <cstdint>

namespace alknet::quic {

class ClosingPacket {
public:
    void keep(BytesView packet, const PacketTarget& target) {
        packet_ = to_bytes(packet);
        target_ = target;
    }

    /// A packet of `size` octets came. True when it is to be answered with `view`.
    bool answers(std::size_t size) noexcept {
        credit_ += size;
        if (packet_.empty() || !std::has_single_bit(++received_) || credit_ < packet_.size()) {
            return false;
        }
        credit_ -= packet_.size();
        return true;
    }

    [[nodiscard]] net::DatagramBatch view() const noexcept {
        net::DatagramBatch batch;
        batch.data = packet_;
        batch.local = target_.local;
        batch.remote = target_.remote;
        return batch;
    }
    [[nodiscard]] bool empty() const noexcept { return packet_.empty(); }

private:
    Bytes packet_;
    PacketTarget target_;
    std::uint64_t received_ = 0;
    std::size_t credit_ = 0;
};

}  // namespace alknet::quic
