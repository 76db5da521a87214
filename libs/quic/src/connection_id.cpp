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

}  // namespace alknet::quic
