// SendBuffer: what a stream has written, until the peer has acknowledged it. Sans-I/O.
#pragma once

#include "chunk_queue.hpp"

#include <algorithm>
#include <array>

namespace alknet::quic {

class SendBuffer {
public:
    explicit SendBuffer(ChunkPool& pool) noexcept : octets_(pool) {}

    void append(BytesView data) { octets_.append(data); }

    /// Written and not yet acknowledged.
    [[nodiscard]] std::size_t buffered() const noexcept { return octets_.size(); }
    [[nodiscard]] std::size_t unsent() const noexcept { return octets_.size() - sent_; }

    /// Views of what is to be sent next; see ChunkQueue::peek.
    std::size_t peek(std::span<BytesView> into) const noexcept { return octets_.peek(sent_, into); }
    void mark_sent(std::size_t count) noexcept { sent_ += count; }

    /// A deliberate defect (alknet/base/mutation.hpp): overwrites the next octets, which are in a
    /// packet by now, so that a retransmission of them is wrong.
    void spoil(std::size_t count) noexcept {
        std::array<BytesView, 8> views;
        const std::size_t filled = octets_.peek(sent_, views);
        for (const BytesView& view : std::span(views).first(filled)) {
            const std::size_t part = std::min(count, view.size());
            std::fill_n(const_cast<std::byte*>(view.data()), part, std::byte{});
            count -= part;
        }
    }

    /// The peer has everything below the stream offset `end`. Returns how many octets were freed.
    std::size_t acknowledge(std::uint64_t end) noexcept {
        if (end <= acknowledged_) {
            return 0;
        }
        const auto count = static_cast<std::size_t>(end - acknowledged_);
        const std::size_t freed = count < sent_ ? count : sent_;
        octets_.drop(freed);
        sent_ -= freed;
        acknowledged_ = end;
        return freed;
    }

    /// Forgets everything; nothing more will be sent. Returns how many octets were freed.
    std::size_t abandon() noexcept {
        const std::size_t freed = octets_.size();
        octets_.clear();
        sent_ = 0;
        return freed;
    }

private:
    ChunkQueue octets_;
    std::size_t sent_ = 0;            // of octets_, from the front
    std::uint64_t acknowledged_ = 0;  // stream offset of the front
};

}  // namespace alknet::quic
