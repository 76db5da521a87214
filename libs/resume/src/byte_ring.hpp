// ByteRing: octets in order, whose storage grows with what is in it up to a limit and goes away
// when it is empty.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstddef>
#include <memory>

namespace alknet::resume {

class ByteRing {
public:
    /// Takes as many octets as there is room for below `most` in all.
    std::size_t append(BytesView data, std::size_t most);
    /// A piece, as long as it lies in one part of the storage, beginning `offset` octets behind the
    /// front. Empty only at the end.
    [[nodiscard]] BytesView peek(std::size_t offset) const noexcept;
    void drop_front(std::size_t size) noexcept;
    void clear() noexcept;
    /// Gives back storage that is not needed for what is in it.
    void compact();

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

private:
    static constexpr std::size_t kFirstBytes = 1 << 10;
    /// Storage up to this size is kept when the ring is empty.
    static constexpr std::size_t kKeptBytes = 4 << 10;
    void move_to(std::size_t capacity);

    std::unique_ptr<std::byte[]> storage_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t size_ = 0;
};

}  // namespace alknet::resume
