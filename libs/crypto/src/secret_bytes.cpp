#include <alknet/crypto/secret_bytes.hpp>
#include <cstring>
#include <new>
#include <utility>

#include "sodium.hpp"

namespace alknet::crypto {

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
    if (size == 0) {
        return;
    }
    start_sodium();
    data_ = static_cast<std::byte*>(sodium_malloc(size));
    if (data_ == nullptr) {
        throw std::bad_alloc();
    }
    wipe(span());
}

SecretBytes SecretBytes::copy_of(BytesView from) {
    SecretBytes copy(from.size());
    if (copy.data_ != nullptr) {
        std::memcpy(copy.data_, from.data(), from.size());
    }
    return copy;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
        sodium_free(data_);
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

SecretBytes::~SecretBytes() {
    sodium_free(data_);
}

void wipe(MutableBytes bytes) noexcept {
    sodium_memzero(bytes.data(), bytes.size());
}

bool equal_constant_time(BytesView a, BytesView b) noexcept {
    return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace alknet::crypto
