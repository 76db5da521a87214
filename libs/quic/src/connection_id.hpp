// Connection ids. Ours are 8 random octets; the last one says which of a node's loops they belong
// to, so that a filter in the kernel can steer by it (decisions: nothing else is encoded).
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <alknet/base/bytes.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace alknet::quic {

/// The length of the ids that we issue; short headers do not carry a length.
inline constexpr std::size_t kConnectionIdBytes = 8;

/// Which loop of how many an endpoint runs on.
struct LoopShare {
    std::uint32_t index = 0;
    std::uint32_t count = 1;
};

/// Draws until the last octet is congruent to the loop's index modulo the number of loops.
[[nodiscard]] ngtcp2_cid draw_connection_id(LoopShare share) noexcept;

/// The loop that an id of a packet belongs to: one of ours says so, and of one that a client drew
/// for its first packets the same octet decides, as in the kernel's filter. None for an id that is
/// shorter than ours.
[[nodiscard]] std::optional<std::uint32_t> loop_of(BytesView id, std::uint32_t count) noexcept;

[[nodiscard]] inline BytesView view(const ngtcp2_cid& id) noexcept {
    return view_octets(id.data, id.datalen);
}

}  // namespace alknet::quic
