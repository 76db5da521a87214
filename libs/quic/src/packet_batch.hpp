// PacketBatch: collects equally long packets to the same place into one DatagramBatch, so that the
// kernel splits them (GSO). Only the last packet of a batch may be shorter; a longer one (a path
// MTU probe) starts the next batch. Sans-I/O: the caller writes packets into `space` and sends
// `view`.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/net/network.hpp>
#include <cstdint>

namespace alknet::quic {

/// What all packets of a batch share.
struct PacketTarget {
    SocketAddress local;
    SocketAddress remote;
    std::uint8_t ecn = 0;
    bool operator==(const PacketTarget&) const = default;
};

class PacketBatch {
public:
    static constexpr std::size_t kSegmentsMax = 64;

    /// `buffer` must have room for two packets at least.
    PacketBatch(MutableBytes buffer, std::size_t segments_max) noexcept
        : buffer_(buffer),
          segments_max_(segments_max < kSegmentsMax ? segments_max : kSegmentsMax) {}

    /// Where the next packet is to be written, behind those of the batch.
    [[nodiscard]] MutableBytes space() const noexcept { return buffer_.subspan(used_); }

    enum class Fit : std::uint8_t {
        open,   // taken; another one may follow
        full,   // taken; nothing may follow it in this batch
        other,  // not taken: send the batch, then `restart`
    };
    /// Adds the packet of `size` octets that was written to the front of `space`.
    Fit add(std::size_t size, const PacketTarget& target) noexcept;

    /// How much of a permission to send `quantum` octets fills whole batches of packets of `size`
    /// octets, all of it if that is not even one: a single packet behind a full batch costs the
    /// sender, the receiver and the kernel between them as much as the batch.
    [[nodiscard]] std::size_t whole(std::size_t quantum, std::size_t size) const noexcept;

    /// Empties the batch. With `size`, the packet that did not fit becomes the first of the next
    /// one.
    void restart(std::size_t size, const PacketTarget& target) noexcept;
    void clear() noexcept { used_ = segment_ = count_ = 0; }

    [[nodiscard]] bool empty() const noexcept { return used_ == 0; }
    [[nodiscard]] std::size_t bytes() const noexcept { return used_; }
    [[nodiscard]] std::size_t packets() const noexcept { return count_; }
    [[nodiscard]] net::DatagramBatch view() const noexcept;
    /// Whether a packet of up to `size` octets still has room in the buffer.
    [[nodiscard]] bool has_room(std::size_t size) const noexcept {
        return buffer_.size() - used_ >= size;
    }

private:
    MutableBytes buffer_;
    std::size_t segments_max_;
    std::size_t used_ = 0;
    std::size_t segment_ = 0;
    std::size_t count_ = 0;
    PacketTarget target_;
};

}  // namespace alknet::quic
