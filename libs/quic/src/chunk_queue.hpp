// ChunkQueue: octets in order, in blocks that never move, so that packets in flight may point into
// them. Memory grows with what was put in, never with a length that somebody announced.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

namespace alknet::quic {

class ChunkQueue {
public:
    static constexpr std::size_t kChunkBytesMin = 1 << 10;
    static constexpr std::size_t kChunkBytesMax = 32 << 10;

    void append(BytesView data);
    /// Takes octets from the front into `into`; returns how many.
    std::size_t take(MutableBytes into) noexcept;
    /// Drops octets from the front. `count` is at most size().
    void drop(std::size_t count) noexcept;
    void clear() noexcept;

    /// Views of what starts `offset` octets behind the front, at most `into.size()` of them. Valid
    /// until those octets are dropped. Returns how many views were filled.
    std::size_t peek(std::size_t offset, std::span<BytesView> into) const noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

private:
    struct Chunk {
        std::unique_ptr<std::byte[]> octets;
        std::size_t capacity = 0;
        std::size_t used = 0;
    };
    std::deque<Chunk> chunks_;
    std::size_t front_ = 0;  // octets of the first chunk that were dropped already
    std::size_t size_ = 0;
};

}  // namespace alknet::quic
