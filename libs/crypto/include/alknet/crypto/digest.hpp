// Digests, and random octets from the system.
#pragma once

#include <alknet/base/bytes.hpp>
#include <array>
#include <cstddef>

namespace alknet::crypto {

/// FIPS 180-4.
[[nodiscard]] std::array<std::byte, 32> sha256(BytesView data) noexcept;

/// Fit for keys.
void fill_random(MutableBytes into) noexcept;

}  // namespace alknet::crypto
