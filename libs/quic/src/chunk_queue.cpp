#include "chunk_queue.hpp"

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <bit>

namespace alknet::quic {

std::unique_ptr<std::byte[]> ChunkPool::take() {
    if (spare_.empty()) {
        spare_.reserve(kSpareMax);  // so that giving back cannot fail
        return std::make_unique_for_overwrite<std::byte[]>(kChunkBytes);
    }
    auto octets = std::move(spare_.back());
    spare_.pop_back();
    return octets;
}

void ChunkPool::give_back(std::unique_ptr<std::byte[]> octets) noexcept {
    if (spare_.size() < kSpareMax) {
        spare_.push_back(std::move(octets));
    }
}

void ChunkQueue::append(BytesView data) {
    size_ += data.size();
    while (!data.empty()) {
        if (chunks_.empty() || chunks_.back().used == chunks_.back().capacity) {
            const std::size_t wanted = std::max(std::bit_ceil(data.size()), size_ / 2);
            const std::size_t capacity =
                std::clamp(std::bit_ceil(wanted), kChunkBytesMin, kChunkBytesMax);
            chunks_.push_back({capacity == kChunkBytesMax
                                   ? pool_->take()
                                   : std::make_unique_for_overwrite<std::byte[]>(capacity),
                               capacity, 0});
        }
        Chunk& last = chunks_.back();
        const std::size_t count = std::min(data.size(), last.capacity - last.used);
        std::copy_n(data.begin(), count, last.octets.get() + last.used);
        last.used += count;
        data = data.subspan(count);
    }
}

std::size_t ChunkQueue::take(MutableBytes into) noexcept {
    std::size_t taken = 0;
    while (taken < into.size() && !empty()) {
        const Chunk& first = chunks_.front();
        const std::size_t count = std::min(into.size() - taken, first.used - front_);
        std::copy_n(first.octets.get() + front_, count, into.data() + taken);
        taken += count;
        drop(count);
    }
    return taken;
}

void ChunkQueue::drop(std::size_t count) noexcept {
    size_ -= count;
    while (count > 0) {
        const Chunk& first = chunks_.front();
        const std::size_t left = first.used - front_;
        if (count < left) {
            front_ += count;
            return;
        }
        count -= left;
        front_ = 0;
        drop_first();
    }
}

void ChunkQueue::drop_first() noexcept {
    if (chunks_.front().capacity == kChunkBytesMax) {
        pool_->give_back(std::move(chunks_.front().octets));
    }
    chunks_.pop_front();
}

void ChunkQueue::clear() noexcept {
    while (!chunks_.empty()) {
        drop_first();
    }
    front_ = 0;
    size_ = 0;
}

std::size_t ChunkQueue::peek(std::size_t offset, std::span<BytesView> into) const noexcept {
    std::size_t filled = 0;
    offset += front_;
    for (const Chunk& chunk : chunks_.view()) {
        if (filled == into.size()) {
            break;
        }
        if (offset >= chunk.used) {
            offset -= chunk.used;
            continue;
        }
        into[filled++] = BytesView(chunk.octets.get() + offset, chunk.used - offset);
        offset = 0;
    }
    return filled;
}

}  // namespace alknet::quic
