// NetlinkNews on anything that a kernel could say: it stays within its limits, and saying the same
// links and addresses again is no news.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <cstdint>

#include "netlink_news.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using alknet::net::NetlinkNews;
    const alknet::BytesView octets(reinterpret_cast<const std::byte*>(data), size);
    NetlinkNews news;
    const bool first = news.take(octets);
    ALKNET_ASSERT(news.known() <= 2 * NetlinkNews::kKnownMax);
    const std::size_t known = news.known();
    const bool again = news.take(octets);
    ALKNET_ASSERT(first || !again);
    ALKNET_ASSERT(news.known() == known);
    return 0;
}
