#include <alknet/crypto/digest.hpp>

#include "sodium.hpp"

namespace alknet::crypto {

std::array<std::byte, 32> sha256(BytesView data) noexcept {
    static_assert(crypto_hash_sha256_BYTES == 32);
    std::array<std::byte, 32> digest{};
    crypto_hash_sha256(octets(MutableBytes(digest)), octets(data), data.size());
    return digest;
}

void fill_random(MutableBytes into) noexcept {
    start_sodium();
    randombytes_buf(into.data(), into.size());
}

}  // namespace alknet::crypto
