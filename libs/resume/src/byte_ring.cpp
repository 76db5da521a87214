#include "byte_ring.hpp"

#include <algorithm>
#include <alknet/base/assert.hpp>

namespace alknet::resume {

std::size_t ByteRing::append(BytesView data, std::size_t most) {
    data = data.first(std::min(data.size(), most - std::min(most, size_)));
    const std::size_t wanted = size_ + data.size();
    if (wanted > capacity_) {
        move_to(std::max(wanted, std::min(most, std::max(2 * capacity_, kFirstBytes))));
    }
    const std::size_t taken = data.size();
    while (!data.empty()) {
        const std::size_t at = (begin_ + size_) % capacity_;
        const std::size_t piece = std::min(data.size(), capacity_ - at);
        std::copy_n(data.begin(), piece, storage_.get() + at);
        size_ += piece;
        data = data.subspan(piece);
    }
    return taken;
}

BytesView ByteRing::peek(std::size_t offset) const noexcept {
    if (offset >= size_) {
        return {};
    }
    const std::size_t at = (begin_ + offset) % capacity_;
    return {storage_.get() + at, std::min(size_ - offset, capacity_ - at)};
}

void ByteRing::drop_front(std::size_t size) noexcept {
    ALKNET_ASSERT(size <= size_);
    size_ -= size;
    if (size_ == 0) {
        begin_ = 0;
        if (capacity_ > kKeptBytes) {
            clear();
        }
    } else {
        begin_ = (begin_ + size) % capacity_;
    }
}

void ByteRing::clear() noexcept {
    storage_.reset();
    capacity_ = begin_ = size_ = 0;
}

void ByteRing::compact() {
    if (size_ == 0) {
        clear();
    } else if (size_ < capacity_) {
        move_to(size_);
    }
}

void ByteRing::move_to(std::size_t capacity) {
    auto storage = std::make_unique_for_overwrite<std::byte[]>(capacity);
    std::size_t moved = 0;
    while (moved < size_) {
        const BytesView piece = peek(moved);
        std::ranges::copy(piece, storage.get() + moved);
        moved += piece.size();
    }
    storage_ = std::move(storage);
    capacity_ = capacity;
    begin_ = 0;
}

}  // namespace alknet::resume
