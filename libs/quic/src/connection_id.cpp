#include "connection_id.hpp"

#include <sodium.h>

namespace alknet::quic {

ngtcp2_cid draw_connection_id(LoopShare share) noexcept {
    ngtcp2_cid id{};
    id.datalen = kConnectionIdBytes;
    do {
        randombytes_buf(id.data, id.datalen);
    } while (id.data[id.datalen - 1] % share.count != share.index);
    return id;
}

std::optional<std::uint32_t> loop_of(BytesView id, std::uint32_t count) noexcept {
    if (id.size() < kConnectionIdBytes) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(id[kConnectionIdBytes - 1]) % count;
}

}  // namespace alknet::quic
