// ChunkQueue: octets in order, in blocks that never move, so that packets in flight may point into
// them. Memory grows with what was put in, never with a length that somebody announced.
#pragma once

#include "fifo.hpp"

#include <alknet/base/bytes.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace alknet::quic {

/// Keeps some of the largest blocks for the next stream that needs one: given back to the system,
/// as the allocator does with such sizes, each would cost its page faults again. One loop's.
class ChunkPool {
public:
    static constexpr std::size_t kChunkBytes = 32 << 10;
    static constexpr std::size_t kSpareMax = 32;

    [[nodiscard]] std::unique_ptr<std::byte[]> take();
    void give_back(std::unique_ptr<std::byte[]> octets) noexcept;
    [[nodiscard]] std::size_t spare() const noexcept { return spare_.size(); }

private:
    std::vector<std::unique_ptr<std::byte[]>> spare_;
};

class ChunkQueue {
public:
    static constexpr std::size_t kChunkBytesMin = 1 << 10;
    static constexpr std::size_t kChunkBytesMax = ChunkPool::kChunkBytes;

    /// `pool` must outlive the queue.
    explicit ChunkQueue(ChunkPool& pool) noexcept : pool_(&pool) {}
    ChunkQueue(const ChunkQueue&) = delete;
    ChunkQueue& operator=(const ChunkQueue&) = delete;
    ~ChunkQueue() { clear(); }

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
    void drop_first() noexcept;

    ChunkPool* pool_;
    Fifo<Chunk> chunks_;
    std::size_t front_ = 0;  // octets of the first chunk that were dropped already
    std::size_t size_ = 0;
};

}  // namespace alknet::quic
