// The bytes of a transfer: which they are follows from its number and their place alone, so that a
// byte that is lost, doubled or moved is seen where it arrives.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstdint>

namespace alknet::sim {

void fill_pattern(std::uint64_t transfer, std::uint64_t offset, MutableBytes into) noexcept;
[[nodiscard]] bool matches_pattern(std::uint64_t transfer, std::uint64_t offset,
                                   BytesView data) noexcept;

}  // namespace alknet::sim
