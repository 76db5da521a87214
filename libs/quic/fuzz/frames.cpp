// The payload of a packet, as only a peer with the keys can send it: the scan ends, finds nothing
// twice, and agrees with itself on what was cut short.
#include <alknet/base/assert.hpp>

#include "frame_scan.hpp"

namespace {

std::size_t count(alknet::BytesView payload) {
    alknet::quic::FrameScan scan(payload);
    std::size_t found = 0;
    while (const auto stop = scan.next()) {
        ALKNET_ASSERT(stop->stream >= 0 && stop->code < (std::uint64_t{1} << 62));
        ++found;
    }
    ALKNET_ASSERT(!scan.next());
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto payload = alknet::view_octets(data, size);
    const std::size_t found = count(payload);
    ALKNET_ASSERT(found * 3 <= size);
    ALKNET_ASSERT(count(payload.first(size / 2)) <= found);
    return 0;
}
