// ProxyHeaderReader on any octets, whole and one by one: the same outcome, within the limits. What
// was read is read again once it is written.
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/net/proxy_protocol.hpp>

#include <algorithm>

namespace {

using namespace alknet;

struct Outcome {
    bool refused = false;
    std::size_t used = 0;
    net::ProxyHeader header;
    bool operator==(const Outcome&) const = default;
};

Outcome read(BytesView data, std::size_t step) {
    net::ProxyHeaderReader reader;
    Outcome outcome;
    while (reader.wanted() > 0 && outcome.used < data.size()) {
        const std::size_t count = std::min({reader.wanted(), step, data.size() - outcome.used});
        const auto added = reader.add(data.subspan(outcome.used, count));
        outcome.used += count;
        if (!added) {
            ALKNET_ASSERT(added.error().is(causes::kProxyHeader));
            outcome.refused = true;
            return outcome;
        }
    }
    outcome.header = reader.header();
    return outcome;
}

// A checksum is of the octets that it came with.
void write_and_read(net::ProxyHeader header) {
    constexpr std::uint8_t kCrc32c = 0x03;
    std::erase_if(header.tlvs, [](const net::ProxyTlv& tlv) { return tlv.type == kCrc32c; });
    const auto written = net::encode_proxy_header(header);
    if (!written) {
        ALKNET_ASSERT(written.error().is(causes::kLimit));
        return;
    }
    const Outcome again = read(*written, written->size());
    ALKNET_ASSERT(!again.refused && again.used == written->size() && again.header == header);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView octets = view_octets(data, size);
    const Outcome whole = read(octets, size);
    ALKNET_ASSERT(whole == read(octets, 1));
    ALKNET_ASSERT(whole.used <= net::ProxyHeaderReader::kV2BytesMax);
    ALKNET_ASSERT(whole.header.tlvs.size() <= net::ProxyHeaderReader::kTlvsMax);
    if (!whole.refused) {
        write_and_read(whole.header);
    }
    return 0;
}
