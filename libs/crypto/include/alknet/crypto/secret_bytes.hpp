// SecretBytes: octets that must not be swapped out, printed, copied by accident or left behind.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstddef>

namespace alknet::crypto {

/// Locked memory between guard pages, zeroed on destruction. Movable, not copyable, no output.
class SecretBytes {
public:
    SecretBytes() noexcept = default;
    /// `size` zero octets. Throws std::bad_alloc, as when memory ends anywhere else.
    explicit SecretBytes(std::size_t size);
    /// Copies `from`, which the caller then wipes.
    static SecretBytes copy_of(BytesView from);
    SecretBytes(SecretBytes&& other) noexcept;
    SecretBytes& operator=(SecretBytes&& other) noexcept;
    ~SecretBytes();

    [[nodiscard]] MutableBytes span() noexcept { return {data_, size_}; }
    [[nodiscard]] BytesView view() const noexcept { return {data_, size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Overwrites octets so that no optimiser leaves them behind.
void wipe(MutableBytes bytes) noexcept;

/// Compares in a time that depends on the sizes alone.
[[nodiscard]] bool equal_constant_time(BytesView a, BytesView b) noexcept;

}  // namespace alknet::crypto
